#!/usr/bin/env bash
# What demo.sh and test.sh share: install what is missing, fetch DuckDB, configure and build.
# Sourced, not run. Prints what it does; a failing step stops with a message that names it.
#   prepare_packages build|test    prepare_duckdb    prepare_folder PRESET
#   prepare_build PRESET [TARGET…]

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=cmake/versions.sh
. "$root/cmake/versions.sh"

say() { printf '%s\n' "== $*"; }

# step NAME COMMAND…: runs quietly; on failure shows the end of its output and stops.
step() {
  local name=$1 log
  shift
  log=$(mktemp)
  say "$name"
  if ! "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    printf '%s\n' "FAILED: $name" >&2
    exit 1
  fi
  rm -f "$log"
}

packages_build="g++ cmake ninja-build ccache pkg-config ca-certificates npm python3
  libcaf-dev librdkafka-dev libsimdjson-dev robin-map-dev libsqlite3-dev sqlite3 libpq-dev libmariadb-dev libre2-dev libssl-dev libcurl4-openssl-dev libyaml-cpp-dev
  prometheus-cpp-dev libcivetweb-dev libcli11-dev libspdlog-dev libfmt-dev
  nlohmann-json3-dev doctest-dev"
packages_test="postgresql mariadb-server-core mariadb-client-core maven default-jdk-headless git clang clang-tidy libclang-rt-14-dev libbenchmark-dev
  prometheus"

missing_packages() {
  local p
  for p in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null | grep -q '^installed$' || printf '%s ' "$p"
  done
}

# Debian's npm and maven bring a second Node or Java where another one is there already.
drop_present() {
  local p
  for p in "$@"; do
    case $p in
      npm) command -v npm >/dev/null || printf 'npm ' ;;
      maven) command -v mvn >/dev/null || printf 'maven ' ;;
      default-jdk-headless) command -v java >/dev/null || printf 'default-jdk-headless ' ;;
      *) printf '%s ' "$p" ;;
    esac
  done
}

no_cluster=/etc/postgresql-common/createcluster.d/rtdp.conf
no_cluster_text='create_main_cluster = false'

# The packages of PostgreSQL and Prometheus would start a server of their own, now or with the
# machine; the tests start theirs on private ports.
install_without_starting() (
  policy=/usr/sbin/policy-rc.d
  mkdir -p "$(dirname "$no_cluster")" /etc/systemd/system
  echo "$no_cluster_text" >"$no_cluster"
  case " $* " in *" prometheus "*) ln -sf /dev/null /etc/systemd/system/prometheus.service ;; esac
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
)

prepare_packages() {
  local wanted=$packages_build missing
  [ "$1" = test ] && wanted="$packages_build $packages_test"
  # shellcheck disable=SC2086
  missing=$(drop_present $(missing_packages $wanted))
  [ -z "${missing// /}" ] && return 0
  if [ "$(id -u)" -ne 0 ]; then
    local keep=
    case " $missing " in *" postgresql "*) keep="mkdir -p $(dirname "$no_cluster") && echo $no_cluster_text >$no_cluster && " ;; esac
    printf '%s\n' "These packages are missing. Run this line, then call me again:" \
      "  sudo sh -c '${keep}apt-get update && apt-get install -y --no-install-recommends ${missing% }'" >&2
    exit 1
  fi
  step "update the package list" apt-get update
  # shellcheck disable=SC2086
  step "install $missing" install_without_starting $missing
}

fetch_duckdb() {
  local to=$root/.deps/duckdb arch work
  case $(uname -m) in
    x86_64) arch=x64 ;;
    aarch64) arch=arm64 ;;
    *) echo "DuckDB has no prebuilt library for $(uname -m): install libduckdb and duckdb.h"; return 1 ;;
  esac
  work=$(mktemp -d)
  (cd "$work" &&
    npm pack --silent "@duckdb/node-bindings-linux-$arch@$DUCKDB_NODE_VERSION" &&
    npm pack --silent "duckdb@$DUCKDB_HEADER_VERSION" &&
    tar xzf duckdb-node-bindings-linux-*.tgz package/libduckdb.so &&
    tar xzf "duckdb-$DUCKDB_HEADER_VERSION.tgz" package/src/duckdb/src/include/duckdb.h) || return 1
  mkdir -p "$to/lib" "$to/include"
  mv "$work/package/libduckdb.so" "$to/lib/"
  mv "$work/package/src/duckdb/src/include/duckdb.h" "$to/include/"
  printf '%s %s\n' "$DUCKDB_NODE_VERSION" "$DUCKDB_HEADER_VERSION" >"$to/version"
  rm -rf "$work"
}

prepare_duckdb() {
  [ "$(cat "$root/.deps/duckdb/version" 2>/dev/null)" = "$DUCKDB_NODE_VERSION $DUCKDB_HEADER_VERSION" ] && return 0
  step "fetch DuckDB $DUCKDB_HEADER_VERSION (npm)" fetch_duckdb
}

prepare_folder() {
  local preset=$1
  # From scratch everything is compiled: groups of files at once cost a third. A folder that somebody
  # configured stays as it is.
  [ -f "$root/build/$preset/build.ninja" ] ||
    step "configure ($preset)" cmake -S "$root" --preset "$preset" -DRTDP_UNITY=ON
}

prepare_build() {
  local preset=$1
  shift
  prepare_folder "$preset"
  say "build ($preset); the first time takes some minutes"
  if [ -t 1 ]; then
    cmake --build "$root/build/$preset" --target "$@" || { echo "FAILED: build ($preset)" >&2; exit 1; }
  else
    step "compile and link" cmake --build "$root/build/$preset" --target "$@"
  fi
}
