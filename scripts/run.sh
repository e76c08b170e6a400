#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs missing packages, builds, and demonstrates dripd: traffic of real programs is shaped.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/run.sh [RATE] [--out DIR] [--build DIR] [--in-process]

Shapes iperf3 (UDP at three times the rate, then TCP) and ping between two network namespaces whose
only link is dripd, halves the rate while traffic runs, prints a table, and draws a plot.

  RATE          as in tc: 100mbit (default), 2.5gbit, 20mbit ...
  --out DIR     directory for plot, logs and figures (default: out)
  --build DIR   build directory (default: build)
  --in-process  DPDK's virtual devices inside dripd instead of namespaces, which need root

Exit status: 0 if every measured UDP rate is within 1 % of the configured one, else 1.
TXT
}

cd "$(dirname "$0")/.."
build=build
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --out) arguments+=(--out "${2:?--out needs a directory}"); shift ;;
    --build) build=${2:?--build needs a directory}; shift ;;
    --in-process) arguments+=(--in-process) ;;
    -*) echo "run.sh: unknown option $1" >&2; usage >&2; exit 2 ;;
    *) arguments+=(--rate "$1") ;;
  esac
  shift
done

scripts/install_packages.sh build run
if [ ! -f "$build/build.ninja" ]; then meson setup "$build"; fi
ninja -C "$build" src/daemon/dripd src/cli/dripctl
exec /usr/bin/python3 scripts/main_job.py --build "$build" "${arguments[@]}"
