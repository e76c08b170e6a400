#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Load, drawn changes and drawn faults for a given time, with the invariants of the design looked at
throughout: soak.sh runs this."""
import argparse
import contextlib
import os
import pathlib
import random
import resource
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import cluster_episode
import faults
import full_load_episode
import machine
import measuring
import namespace_link
import wire_episode
from journal import Journal
from request_load import make_api
from shaped_node import BOTH_FUSED, FUSED, SPLIT, WITH_CONTROL
from soak_report import draw, markdown
from stopping import unwind_when_stopped

EPISODE_SECONDS = 150
MOST_FINDINGS = 20  # One fault of the node may show in every round.
EPISODES = [
    ("af_packet, fused", lambda soak, s: wire_episode.run(soak, s, "af_packet", FUSED)),
    ("full load", full_load_episode.run),
    ("cluster", cluster_episode.run),
    (
        "af_packet, two fused CPUs",
        lambda soak, s: wire_episode.run(soak, s, "af_packet", BOTH_FUSED),
    ),
    (
        "af_xdp, split CPUs, control process",
        lambda soak, s: wire_episode.run(soak, s, "af_xdp", SPLIT + WITH_CONTROL),
    ),
    ("af_xdp, fused", lambda soak, s: wire_episode.run(soak, s, "af_xdp", FUSED)),
    (
        "af_packet, fused, control process",
        lambda soak, s: wire_episode.run(soak, s, "af_packet", FUSED + WITH_CONTROL),
    ),
]


class Soak:
    """What all episodes use."""

    def __init__(self, options, scratch):
        self.build = pathlib.Path(options.build).resolve()
        self.clock_library = self.build / "tests/support/libdrip_set_clock.so"
        self.random = random.Random(options.seed)
        self.wanted_fault, self.faults_left = options.fault, {}
        self.journal = Journal()
        self.scratch, self.logs, self.episodes = scratch, pathlib.Path(options.out) / "logs", 0
        (scratch / "api").mkdir()
        self.api = make_api(scratch / "api")

    def new_directory(self):
        self.episodes += 1
        directory = self.scratch / str(self.episodes)
        directory.mkdir()
        return directory

    @contextlib.contextmanager
    def keep_logs_on_findings(self, node):
        before = len(self.journal.findings)
        try:
            yield
        except BaseException:
            before = -1
            raise
        finally:
            if len(self.journal.findings) > before:
                self.logs.mkdir(parents=True, exist_ok=True)
                daemon = getattr(node, "daemon", node)
                text = pathlib.Path(daemon.log_path).read_text()
                (self.logs / f"dripd-{self.episodes}.log").write_text(
                    "\n==== killed\n".join([*getattr(node, "logs", []), text])
                )

    def wait_until(self, holds, what, seconds=60):
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return self.journal.check(False, what, f"not within {seconds} s")
            time.sleep(0.1)
        return self.journal.check(True, what)


def main():
    unwind_when_stopped()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float, nargs="?", default=60)
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", default="out")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", help="episodes with this in their names")
    parser.add_argument("--fault", default="", help="faults with this in their names")
    options = parser.parse_args()
    if reason := namespace_link.cannot():
        print(f"soak: {reason}", file=sys.stderr)
        sys.exit(77)
    episodes = [one for one in EPISODES if not options.only or options.only in one[0]]
    if not episodes:
        sys.exit(f"soak: --only '{options.only}': none of {[name for name, _ in EPISODES]}")
    kinds = [
        one.__name__.replace("_", " ") for one in faults.Faults.ALL + cluster_episode.Faults.ALL
    ]
    if not any(options.fault in kind for kind in kinds):
        sys.exit(f"soak: --fault '{options.fault}': none of {kinds}")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # Names of namespaces of its own as well: soak.sh gave it mounts of its own.
    netns = pathlib.Path("/run/netns")
    netns.mkdir(exist_ok=True)
    namespace_link.run("mount", "-t", "tmpfs", "none", str(netns))
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        soak = Soak(options, pathlib.Path(scratch))
        journal, seconds = soak.journal, 60 * options.minutes
        each = min(EPISODE_SECONDS, seconds / len(episodes))
        number = 0
        while journal.seconds() < seconds and len(journal.findings) < MOST_FINDINGS:
            name, episode = episodes[number % len(episodes)]
            number += 1
            journal.say(f"episode {number}: {name}")
            try:
                episode(soak, min(each, max(1, seconds - journal.seconds())))
            except Exception as error:
                journal.find(f"episode {number}, {name}: {error!r}")
            except SystemExit as error:
                if isinstance(error.code, int):
                    raise  # A signal.
                journal.find(f"episode {number}, {name}: {error.code}")
        result = machine.describe("scripts/soak.sh") | {
            "seed": options.seed,
            "seconds": journal.seconds(),
            "load": os.getloadavg()[2],
            "episodes": number,
            "counts": journal.counts,
            "totals": journal.totals,
            "skipped": journal.skipped,
            "findings": journal.findings,
            "resources": journal.resources,
        }
        measuring.write(options.out, "soak", result, md=markdown(result), svg=draw(result))
    print(markdown(result))
    sys.exit(1 if journal.findings else 0)


if __name__ == "__main__":
    main()
