#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Measures everything and writes docs/benchmarks.md with its plots.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/bench/all.sh [--quick] [--out DIR] [--build DIR] [--page FILE]

Runs drip-bench (cost, throttled, precision, scale, control), kernel.sh and the dpdk-testpmd runs one
after another, about a quarter of an hour in all, and makes one page of tables and plots of them.
Needs root for kernel.sh and for hugepages, which it gives back; what cannot be run is said on the
page. Nothing else should run.

  --quick      a tenth of the time: to see that it works
  --out DIR    where figures (JSON) go (default: out/bench)
  --build DIR  the build directory (default: build)
  --page FILE  the page; its plots go into a folder of its name (default: docs/benchmarks.md)
TXT
}

cd "$(dirname "$0")/../.."
out=out/bench
build=build
page=docs/benchmarks.md
quick=
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --quick) quick=--quick ;;
    --out) out=${2:?--out needs a directory}; shift ;;
    --build) build=${2:?--build needs a directory}; shift ;;
    --page) page=${2:?--page needs a file}; shift ;;
    *) echo "all.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done

if [ ! -f "$build/build.ninja" ]; then meson setup "$build"; fi
ninja -C "$build" src/bench/drip-bench src/daemon/dripd src/cli/dripctl
mkdir -p "$out"
rm -f "$out"/*.json

pages=/proc/sys/vm/nr_hugepages
before=$(cat "$pages")
restore() { [ ! -w "$pages" ] || echo "$before" >"$pages"; }
trap restore EXIT
# 2600 MiB for packets and librte_sched; without them 4-KiB pages do, and the page says so.
[ ! -w "$pages" ] || echo $((before + 1300)) >"$pages"

buckets=1,64,1024,16384,65536,262144,1048576
some=1024,16384,65536
seconds=0.2 repeat=5 long=5
[ -z "$quick" ] || { buckets=1,1024 some=1024 seconds=0.02 repeat=1 long=0.2; }

failed=()
run() {
  local name=$1
  shift
  echo "== $name"
  "$@" || failed+=("$name")
}
bench=$build/src/bench/drip-bench
run cost "$bench" cost --memory 2500 --buckets "$buckets" --seconds "$seconds" \
  --repeat "$repeat" --json "$out/cost.json"
run throttled "$bench" throttled --memory 2500 --buckets "$some" --seconds "$seconds" \
  --repeat "$((repeat > 3 ? 3 : repeat))" --json "$out/throttled.json"
run precision "$bench" precision --memory 800 --buckets 1024,65536 --seconds "$long" \
  --json "$out/precision.json"
run scale "$bench" scale --memory 300 --buckets "$some" --seconds "$seconds" \
  --repeat "$repeat" --json "$out/scale.json"
control=(--dripd "$build/src/daemon/dripd" --json "$out/control.json")
[ -z "$quick" ] || control+=(--runs 1 --seconds 0.2 --buckets 10000)
run control "$bench" control "${control[@]}"
restore
if [ "$(id -u)" -eq 0 ]; then
  run kernel scripts/bench/kernel.sh $quick --out "$out" --build "$build"
  run testpmd scripts/pktgen/testpmd.sh $quick --out "$out" --build "$build"
fi
/usr/bin/python3 scripts/bench/bench_report.py "$out" "$page" ${quick:+--quick}
echo "== $page"
if [ ${#failed[@]} -gt 0 ]; then
  echo "all.sh: failed: ${failed[*]}" >&2
  exit 1
fi
