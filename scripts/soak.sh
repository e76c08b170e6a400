#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Builds what is needed and soaks it: load, changes and faults, drawn, for as long as it is told to.
set -euo pipefail

usage() {
  cat <<'TXT'
usage: scripts/soak.sh [MINUTES] [--seed N] [--only TEXT] [--fault TEXT] [--out DIR]
                       [--build DIR]

Runs, in turns: two hosts and dripd between them on af_packet or af_xdp, on fused and on split CPUs;
dripd with more packets than it can take; three nodes with Redis, a replica and Sentinels. Meanwhile
buckets, trees, queues, rules and lists are changed at random, requests are asked, awaited and
cancelled, and faults come: links that flap, a port that takes nothing, an interface that is deleted,
a polling thread that stands still, kill -9, a full disk, a wall clock set by an hour, 10,000
connections, little memory, no packet buffers, full rings, a killed control process; Redis killed,
stopped, emptied, cut off, changed over by Sentinels; nodes killed and stopped. Between rounds all is
at rest, and it is checked that every packet is accounted for, in each bucket as well, that order and
rates held, that settings survived, that a refused change changed nothing, and that memory, threads
and files stay as many. Ends with 1 if anything was found.

  MINUTES      how long (default: 60)
  --seed N     draws the same changes and faults again (default: the time)
  --only TEXT  only episodes with TEXT in their name: af_packet, af_xdp, split, full load, cluster
  --fault TEXT only faults with TEXT in their name, such as killed, disk, link, redis, node
  --out DIR    where soak.json, soak.md, soak.svg and logs/ go (default: out)
  --build DIR  the build directory (default: build)

Needs root, for network namespaces. All that it makes is in namespaces of its own.
TXT
}

cd "$(dirname "$0")/.."
. scripts/lib/measure.sh
take_arguments "" "--out --seed --only --fault" words "$@"

build_targets src/daemon/dripd src/cli/dripctl tests/support/libdrip_set_clock.so
# Mounts of its own, which end with it.
exec unshare --mount --propagation private \
  /usr/bin/python3 scripts/soak/soak.py --build "$build" "${arguments[@]}"
