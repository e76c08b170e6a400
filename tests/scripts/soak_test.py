#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the soak judges by: it must find what is wrong, and nothing else. With a BUILD directory and
names of episodes, runs those as well, for some seconds each."""
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts/soak"), str(ROOT / "scripts/lib")]

import soak_report
from changes import Changes
from faults import difference
from full_load_episode import unaccounted
from invariants import all_taken, bucket_balance, near
from journal import Growth, Journal
from tracked_stream import FRAME, ahead_of_rate, out_of_order


class Order(unittest.TestCase):
    def test_is_lost_by_a_packet_that_comes_late_or_again(self):
        come = lambda *numbers: [(number, 0.0) for number in numbers]
        self.assertEqual(out_of_order(come(0, 1, 4, 9)), "")
        self.assertIn("packet 2 came late", out_of_order(come(0, 1, 3, 2, 4)))
        self.assertIn("packet 3 came again", out_of_order(come(0, 1, 3, 3)))
        self.assertIn("packet 0 came late", out_of_order(come(1, 0)))


class Rate(unittest.TestCase):
    RATE = 8 * FRAME * 100  # A hundred frames a second.

    def test_on_schedule_nothing_is_ahead_but_a_frame(self):
        received = [(i, 5 + i / 100) for i in range(1000)]
        self.assertAlmostEqual(ahead_of_rate(received, self.RATE), 0, delta=1)
        self.assertEqual(ahead_of_rate([], self.RATE), 0)

    def test_a_burst_is_ahead_by_its_length_wherever_it_is(self):
        received = [(i, i / 100) for i in range(500)]
        received += [(500 + i, 5 + 1) for i in range(10)]
        received += [(510 + i, 7 + i / 100) for i in range(500)]
        self.assertAlmostEqual(ahead_of_rate(received, self.RATE), 9 * 8 * FRAME, delta=1)

    def test_a_pause_gives_no_credit(self):
        received = [(0, 0.0)] + [(1 + i, 10 + i / 200) for i in range(400)]
        # Twice the rate for two seconds.
        self.assertAlmostEqual(ahead_of_rate(received, self.RATE), 399 / 2 * 8 * FRAME, delta=9)


class Ends(unittest.TestCase):
    def test_what_was_missed_may_have_been_taken_as_well(self):
        self.assertTrue(all_taken(10_000, [9_000, 1_000, 0, 0], 1_000))
        self.assertTrue(all_taken(10_000, [9_950, 100, 0, 0], 100))
        self.assertFalse(all_taken(10_000, [9_900, 50, 0, 0], 50))
        self.assertFalse(all_taken(10_000, [10_020, 50, 0, 0], 50))


class Balance(unittest.TestCase):
    def test_of_a_bucket(self):
        status = {
            "total_requests": "10",
            "processed_requests": "4",
            "rejected_requests": 3,
            "dropped_requests": 1,
            "queue_size": 2,
        }
        self.assertEqual(bucket_balance(status), 0)
        self.assertEqual(bucket_balance(status | {"queue_size": 1}), 1)
        self.assertEqual(bucket_balance(status | {"processed_requests": 5}), -1)

    def test_of_ends(self):
        self.assertTrue(near(100_000, 100_100))
        self.assertFalse(near(100_000, 100_101))
        self.assertFalse(near(0, 4))

    def test_of_lcores(self):
        lcores = [
            {"rx_packets": 10, "tx_packets": 4, "drops": [{"reason": "x", "packets": "3"}]},
            {"rx_packets": 5, "waiting_packets": 6},
        ]
        daemon = types.SimpleNamespace(ctl=lambda *_: {"lcores": lcores})
        self.assertEqual(unaccounted(daemon), (2, 15))


class Node:
    """Answers like dripctl."""

    def __init__(self):
        self.buckets, self.answer, self.side_effect = {}, (0, ""), lambda: None

    def __call__(self, *words):
        out = {"bucket list": {"buckets": list(self.buckets.values())}, "rule list": {}}
        if " ".join(words) in (*out, "list list"):
            text = json.dumps(out.get(" ".join(words), {}))
            return types.SimpleNamespace(returncode=0, stdout=text, stderr="")
        self.side_effect()
        return types.SimpleNamespace(returncode=self.answer[0], stdout="", stderr=self.answer[1])


class RefusedChanges(unittest.TestCase):
    def findings(self, answer, side_effect=lambda node: None, changes=200, away=False):
        node, journal = Node(), Journal()
        journal.say = lambda text: None
        node.answer, node.side_effect = answer, lambda: side_effect(node)
        drawn = Changes(node, random.Random(1), journal)
        drawn.away = away
        for _ in range(changes):
            drawn.one()
        return [text for _, text in journal.findings]

    def test_may_be_refused_for_what_is_wrong_with_them(self):
        self.assertEqual(self.findings((0, "")), [])
        self.assertEqual(self.findings((5, "dripctl: FAILED_PRECONDITION: no")), [])
        self.assertEqual(self.findings((4, "dripctl: NOT_FOUND: no")), [])

    def test_may_not_be_refused_for_what_is_wrong_with_the_node(self):
        for answer in ((3, "dripctl: UNAVAILABLE: no"), (5, "dripctl: INTERNAL: no"), (-11, "")):
            self.assertGreater(len(self.findings(answer)), 150)  # The others look only.
            self.assertEqual(self.findings(answer, away=True), [])

    def test_must_change_nothing(self):
        def grow(node):
            name = f"b{len(node.buckets)}"
            node.buckets[name] = {"config": {"bucket_id": name}, "revision": 1}

        found = self.findings((5, "dripctl: FAILED_PRECONDITION: no"), grow)
        self.assertTrue(found)
        self.assertIn("a refused change changes nothing", found[0])


class Listings(unittest.TestCase):
    def test_say_what_differs(self):
        before = {"buckets": {"a": (1, 2)}, "rules": [1]}
        self.assertEqual(difference(before, before), "")
        self.assertIn("a: (1, 2) -> None", difference(before, {"buckets": {}, "rules": [1]}))
        self.assertIn("rules", difference(before, {"buckets": {"a": (1, 2)}, "rules": []}))


class Resources(unittest.TestCase):
    def test_growth_is_found(self):
        journal = Journal()
        journal.say = lambda text: None
        held = []
        with subprocess.Popen(["sleep", "60"]) as process:
            growth = Growth(journal, "x")
            for _ in range(4):
                growth.look(process)
            self.assertEqual(journal.findings, [])
            process.kill()
        # This program itself, which takes more from look to look.
        me = types.SimpleNamespace(pid="self")
        growth = Growth(journal, "y")
        for _ in range(4):
            growth.look(me)
            held.append(bytes(range(256)) * (1 << 18))  # 64 MiB.
        self.assertIn("memory flat", journal.findings[0][1])


class Report(unittest.TestCase):
    RESULT = {
        "seconds": 600,
        "date": "d",
        "command": "c",
        "commit": "x",
        "seed": 1,
        "machine": "m",
        "kernel": "k",
        "load": 1.0,
        "episodes": 2,
        "findings": [(61.0, "something")],
        "skipped": {"memory is short": "no"},
        "counts": {"checks": {"a": 1000}, "faults": {}, "changes": {}},
        "totals": {"packets": 5},
        "resources": [(1.0, "a", 1 << 20, 3, 9), (60.0, "a", 2 << 20, 3, 9)],
    }

    def test_tells_all(self):
        text = soak_report.markdown(self.RESULT)
        for wanted in ("1 findings", "1.0 min: something", "| a | 1,000 |", "memory is short: no"):
            self.assertIn(wanted, text)
        self.assertEqual(soak_report.draw(self.RESULT).count("<circle"), 6)


def run_episodes(build, names):
    with tempfile.TemporaryDirectory(prefix="drip-") as out:
        for name in names:
            command = [ROOT / "scripts/soak.sh", "0.2", "--only", name, "--out", out]
            done = subprocess.run(
                [*map(str, command), "--build", build], capture_output=True, text=True, cwd=ROOT
            )
            print(done.stdout, done.stderr)
            if done.returncode != 0:
                sys.exit(done.returncode)
            result = json.loads((pathlib.Path(out) / "soak.json").read_text())
            for kind in ("checks", "faults"):
                if not result["counts"][kind]:
                    sys.exit(f"FAILED: no {kind} in {name}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_episodes(sys.argv[1], sys.argv[2:])
    else:
        unittest.main()
