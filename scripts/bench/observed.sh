#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds what is needed and measures what it costs dripd to be looked at.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/bench/observed.sh [--quick] [--out DIR] [--build DIR]

dripd under full load, in turns alone and with all that looks at it: metrics scraped each second, the
web page's data, dripctl top, samples of traffic, dripctl explain, a capture. Measures packets a second,
losses, and lateness of shaped buckets. Needs no root and no network: a DPDK device replays frames
without end, another one counts them.

  --quick      less of everything, half a minute: to see that it works
  --out DIR    where observed.json and observed.md go (default: out)
  --build DIR  the build directory (default: build)

Two minutes. Nothing else should run.
TXT
}

cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
take_arguments "--quick" "--out" none "$@"

build_targets src/daemon/dripd src/cli/dripctl
exec /usr/bin/python3 scripts/bench/observed.py --build "$build" "${arguments[@]}"
