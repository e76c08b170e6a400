#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds what is needed and measures what the queues of a bucket do to delay and fairness.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/bench/queue_delay.sh [--quick] [--rate MBIT] [--seconds S] [--only QUEUE] [--out DIR]
                                    [--build DIR]

dripd between two namespaces, one bucket for all, with --queue fifo, fair, and fair with --aqm codel in
turn, at round-trip times of 0, 20 and 80 ms by a delay line in user space. Measures how long the
packets of modest flows take beside a flood, and those of a sparse flow beside 1 and 8 TCP flows (cubic,
and bbr where the kernel has it; of equal and unequal round-trip times); goodput; and how evenly the TCP
flows share. Needs root.

  --quick      little of it, half a minute: to see that it works
  --rate MBIT  of the bucket (default: 100)
  --seconds S  of each measurement (default: 12)
  --only QUEUE fifo, fair or "fair + codel" (default: each of them)
  --out DIR    where queue_delay.json and queue_delay.md go (default: out)
  --build DIR  the build directory (default: build)

A quarter of an hour. Nothing else should run.
TXT
}

cd "$(dirname "$0")/../.."
. scripts/lib/measure.sh
take_arguments "--quick" "--rate --seconds --only --out" none "$@"

build_targets src/daemon/dripd src/cli/dripctl src/bench/link/drip-link
exec /usr/bin/python3 scripts/bench/queue_delay.py --build "$build" "${arguments[@]}"
