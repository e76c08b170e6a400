#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds what is needed and measures dripd beside tc's HTB and TBF over one veth link.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/bench/kernel.sh [--quick] [--out DIR] [--build DIR]

One sender, one receiver, one pair of cores: the kernel's queueing disciplines and dripd take turns
in the middle. Measures packets a second of 64-byte frames through 1 to 4096 classes or buckets, CPU
time a packet, and the error of the gaps between shaped packets at the receiver. Needs root.

  --quick      less of everything, under a minute: to see that it works
  --out DIR    where kernel.json, kernel.md and kernel.svg go (default: out)
  --build DIR  the build directory (default: build)

At most 4 minutes. Nothing else should run: a busy machine shows in the line "pacer alone".
TXT
}

cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
take_arguments "--quick" "--out" none "$@"

build_targets src/daemon/dripd src/cli/dripctl src/bench/link/drip-link
exec /usr/bin/python3 scripts/bench/kernel.py --build "$build" "${arguments[@]}"
