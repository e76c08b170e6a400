#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Runs Pktgen-DPDK's Lua scripts against dripd over vhost-user, on one machine.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/pktgen/pktgen.sh [--out DIR] [--build DIR] [--seconds S] [RUN]...

RUN: single_size, imix, many_flows, rfc2544, spacing; all of them by default. Pktgen-DPDK must be on the
PATH as pktgen; versions 23.03 and 23.06 fit DPDK 22.11. Needs root and two CPUs. Without Pktgen the
same runs with dpdk-testpmd: scripts/pktgen/testpmd.sh.

  --out DIR    where pktgen.json and pktgen.md go (default: out)
  --build DIR  the build directory (default: build)
  --seconds S  of each measurement (default: 2; Pktgen reads counts once a second)

Over a pair of real NICs: docs/guide/pktgen.md.
TXT
}

cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
take_arguments "" "--out --seconds" words "$@"

if ! command -v pktgen > /dev/null; then
  echo "pktgen.sh: there is no 'pktgen' on the PATH: Pktgen-DPDK is not in Debian and has to be built
from its source, 23.03 or 23.06 for DPDK 22.11. The same runs with dpdk-testpmd, which is packaged:
scripts/pktgen/testpmd.sh" >&2
  exit 3
fi
build_targets src/daemon/dripd src/cli/dripctl
exec /usr/bin/python3 scripts/pktgen/pktgen_runs.py --build "$build" "${arguments[@]}"
