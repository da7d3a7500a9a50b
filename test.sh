#!/usr/bin/env bash
# Everything that CI runs, or the parts that are named. Installs and builds what is missing first;
# starts real servers on private ports, and stops them.
#   ./test.sh [PART…]     parts: tidy unit server cluster sanitize fuzz, or a pattern of test names
#   ./test.sh unit        no server is needed
#   ./test.sh actors/sink one folder
set -euo pipefail
cd "$(dirname "$0")"
. cmake/prepare.sh
started=$SECONDS

[ $# -gt 0 ] || set -- tidy unit server cluster sanitize fuzz
parts=$*
for part in "$@"; do
  case $part in
    -*) echo "usage: ./test.sh [tidy|unit|server|cluster|sanitize|fuzz|PATTERN]…" >&2; exit 2 ;;
  esac
done

prepare_packages test
prepare_duckdb

# ctest prints what runs, and the output of what fails.
run_ctest() {
  local preset=$1
  shift
  ctest --test-dir "build/$preset" --output-on-failure "$@" || { echo "FAILED: ctest $*" >&2; exit 1; }
}

build_all() {
  prepare_build release all
  export RTDP_BINARY=$PWD/build/release/rtdp
}

# The sanitizer build takes minutes of computing, and the tests with servers mostly wait: what is
# idle meanwhile builds it. Its own turn stops this and builds the rest, or shows what fails.
beside=
build_beside() {
  case " $parts " in *" sanitize "*) ;; *) return 0 ;; esac
  [ -z "$beside" ] || return 0
  prepare_folder debug
  nice -n 19 ionice -c 3 ninja -C build/debug -j 1 unit_tests >/dev/null 2>&1 &
  beside=$!
}
stop_beside() {
  [ -n "$beside" ] || return 0
  kill "$beside" 2>/dev/null || true
  wait "$beside" 2>/dev/null || true
  beside=
}
trap stop_beside EXIT

part_tidy() { build_all && run_ctest release -L tidy; }
part_unit() { build_all && run_ctest release -L unit -j 2; }
# Two at a time, except where a test measures time or fills the machine (RUN_SERIAL). Real servers and
# processes on a busy machine: what fails is tried once more, and named at the end.
run_with_servers() {
  local log again
  step "fetch Apache Kafka $KAFKA_VERSION (Maven Central)" test/services/kafka jars
  build_all && build_beside
  log=$(mktemp)
  run_ctest release -L "$1" -j 2 --repeat until-pass:2 | tee "$log"
  again=$(grep -oE '[a-z_/]+ \.*\*\*\*(Failed|Timeout|Exception)' "$log" | sort -u) || true
  rm -f "$log"
  [ -z "$again" ] || say "passed at the second try only: $again"
}
part_server() { run_with_servers server; }
part_cluster() { run_with_servers cluster; }

part_sanitize() {
  stop_beside
  prepare_build debug unit_tests
  # detect_leaks: DuckDB and librdkafka keep globals; their own reports are left out.
  UBSAN_OPTIONS=print_stacktrace=1 LSAN_OPTIONS=suppressions=$PWD/test/support/lsan.supp \
    run_ctest debug -L unit -j 2
}

part_fuzz() {
  prepare_build fuzz fuzzers
  local log pids=() name failed=0
  log=$(mktemp -d)
  say "fuzz the UMS reader, the namespace, the config loader and the change stream of PostgreSQL, 60 s each"
  for name in ums_reader_fuzz ums_namespace_fuzz config_fuzz postgres_pgoutput_fuzz; do
    (cd "$log" && exec "$OLDPWD/build/fuzz/test/$name" -max_total_time=60 -timeout=30 -rss_limit_mb=2048 \
      -artifact_prefix="$log/$name-" >"$log/$name.log" 2>&1) &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  for name in ums_reader_fuzz ums_namespace_fuzz config_fuzz postgres_pgoutput_fuzz; do
    printf '   %s: %s\n' "$name" "$(grep -E '^Done' "$log/$name.log" || echo FAILED)"
  done
  if [ "$failed" != 0 ]; then
    tail -n 40 "$log"/*.log >&2
    echo "FAILED: fuzz; the inputs are in $log" >&2
    exit 1
  fi
  rm -rf "$log"
}

for part in "$@"; do
  case $part in
    tidy | unit | server | cluster | sanitize | fuzz) "part_$part" ;;
    *) build_all && run_ctest release -R "$part" --no-tests=error ;;
  esac
done
say "passed: $* ($(((SECONDS - started) / 60)) min $(((SECONDS - started) % 60)) s)"
