#!/usr/bin/env bash
# The main job in one minute, on the embedded default: a SQLite shop that is written to while it runs,
# through the embedded bus and flows (one with a SQL step), into a SQLite warehouse; then both sides
# are compared row by row. Installs and builds what is missing first.
#   ./demo.sh [--stay] [--seconds N]     --stay leaves the status page running until Ctrl-C
#   ./demo.sh --cluster [--stay] [--seconds N]
# With --cluster: three nodes on this machine around a local Kafka. Flows drift between them under load,
# a node is killed, and both sides are compared at the end.
set -euo pipefail
cd "$(dirname "$0")"
. cmake/prepare.sh

stay=no
cluster=no
seconds=
while [ $# -gt 0 ]; do
  case $1 in
    --stay) stay=yes ;;
    --cluster) cluster=yes ;;
    --seconds)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || { echo "demo.sh: --seconds takes a whole number above 0" >&2; exit 2; }
      seconds=$2
      shift
      ;;
    *) echo "usage: ./demo.sh [--cluster] [--stay] [--seconds N]" >&2; exit 2 ;;
  esac
  shift
done

# Kafka needs what the tests need: Java and its jars.
if [ "$cluster" = yes ]; then prepare_packages test; else prepare_packages build; fi
prepare_duckdb
prepare_build release rtdp

rtdp=$PWD/build/release/rtdp
work=$(mktemp -d "${TMPDIR:-/tmp}/rtdp-demo.XXXXXX")
node=
writer=
finish() {
  for p in $writer $node; do kill "$p" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

if [ "$cluster" = yes ]; then
  step "fetch Apache Kafka $KAFKA_VERSION (Maven Central)" test/services/kafka jars
  say "three nodes, a shop with 5,000 orders; ${seconds:=25} seconds of work, drifts and one death"
  [ "$stay" = no ] || stay_too=--stay
  RTDP_BINARY=$rtdp test/services/with kafka -- \
    python3 test/cluster/demo_cluster.py "$work" --seconds "$seconds" ${stay_too:-}
  exit
fi

seconds=${seconds:-15}
port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
export RTDP_URL=http://127.0.0.1:$port
cat >"$work/shop.yaml" <<YAML
node: {name: demo, data_dir: $work/data, http: 127.0.0.1:$port}
sources:
  shop:
    kind: sqlite
    path: $work/shop.db
    tables: [customers, products, orders, order_items]
sinks:
  dw: {kind: sqlite, path: $work/warehouse.db}
flows:
  customers: {source: sqlite.shop.main.customers, sink: dw.customers, mutation: iud_clean, create: true}
  products: {source: sqlite.shop.main.products, sink: dw.products, create: true}
  orders: {source: sqlite.shop.main.orders, sink: dw.orders, create: true}
  taxes:
    source: sqlite.shop.main.order_items
    sink: dw.taxes
    create: true
    steps:
      - sql: select order_id, line, sku, amount_cents * 119 as with_tax from order_items where amount_cents >= 10000
YAML

say "a shop with 5,000 orders; $seconds seconds of work in it: inserts, updates, deletes, changed keys"
python3 test/cluster/demo_shop.py create "$work/shop.db" --rows 5000 >/dev/null
"$rtdp" check "$work/shop.yaml"
"$rtdp" run "$work/shop.yaml" --log-level warn &
node=$!
python3 test/cluster/demo_shop.py write "$work/shop.db" --seconds "$seconds" --rate 500 >/dev/null &
writer=$!
python3 test/cluster/watch.py "$RTDP_URL" "$writer"
wait "$writer"
writer=

if [ "$stay" = yes ]; then
  say "the status page: $RTDP_URL (Ctrl-C ends the demo)"
  wait "$node"
fi
say "the writer is done; let the flows catch up, then compare"
kill -TERM "$node"
wait "$node" || { echo "FAILED: the node did not stop cleanly" >&2; exit 1; }
node=
"$rtdp" run "$work/shop.yaml" --set node.http=off --log-level warn --until-idle
python3 test/cluster/compare_sqlite.py "$work/shop.db" "$work/warehouse.db" \
  --tables customers products orders \
  --query taxes order_id,line \
  "SELECT order_id, line, sku, amount_cents * 119 AS with_tax FROM order_items WHERE amount_cents >= 10000"
