#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds what is needed and measures what hostile clients cost.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/bench/hostile.sh [--quick] [--out DIR] [--build DIR]

dripd under full load with a well-behaved client, in turns alone and among 1,000 hostile clients and
10,000 idle connections. Measures how long calls of the well-behaved one take, dripd's memory, packets
lost, and lateness of shaped buckets. Needs no root and no network: a DPDK device replays frames
without end, another one counts them; clients are on loopback.

  --quick      20 clients, half a minute: to see that it works
  --out DIR    where hostile.json and hostile.md go (default: out)
  --build DIR  the build directory (default: build)

Three minutes. Nothing else should run.
TXT
}

cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
take_arguments "--quick" "--out" none "$@"

build_targets src/daemon/dripd src/cli/dripctl
exec /usr/bin/python3 scripts/bench/hostile.py --build "$build" "${arguments[@]}"
