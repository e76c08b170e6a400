# SPDX-License-Identifier: BSD-3-Clause
"""dripd with more packets than it can take, from a DPDK device that replays frames without end,
while everything is changed."""
import contextlib
import sys
import time

from changes import Changer, Changes
from journal import Growth

sys.path.insert(0, str(__import__("pathlib").Path(__file__).parents[1] / "bench"))
from daemon import Daemon
from observed import OBSERVED, Replay

ROUND_SECONDS = 5
# Counters of a running node are read one after the other, at up to 10 million packets a second.
IN_FLIGHT = 200_000


def unaccounted(daemon):
    """Packets received less those sent, dropped and waiting, by lcores that go on meanwhile."""
    lcores = daemon.ctl("lcore", "list")["lcores"]
    total = lambda field: sum(int(lcore.get(field, 0)) for lcore in lcores)
    drops = sum(int(drop["packets"]) for lcore in lcores for drop in lcore.get("drops", []))
    received = total("rx_packets")
    return received - total("tx_packets") - drops - total("waiting_packets"), received


def run(soak, seconds):
    directory = soak.new_directory()
    journal = soak.journal
    growth = Growth(journal, "full load")
    daemon = Daemon(soak.build, Replay(directory), directory / "dripd.log", OBSERVED)
    daemon.START_SECONDS = 60
    with contextlib.ExitStack() as stack:
        stack.enter_context(soak.keep_logs_on_findings(daemon))
        stack.enter_context(daemon)
        changes = Changes(daemon.run_ctl, soak.random, journal, target="shaped-07")
        end = time.monotonic() + seconds
        with Changer(changes) as changer:
            while time.monotonic() < end:
                time.sleep(ROUND_SECONDS)
                changer.pause()
                alive = daemon.process.poll() is None
                if not journal.check(alive, "dripd runs", f"exit code {daemon.process.returncode}"):
                    return
                lost, received = unaccounted(daemon)
                journal.check(
                    abs(lost) < IN_FLIGHT,
                    "full load: received = sent + dropped + waiting",
                    f"{lost} of {received} packets",
                )
                growth.look(daemon.process)
                changer.resume()
        journal.add("packets at full load", received)
