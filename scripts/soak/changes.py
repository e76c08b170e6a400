# SPDX-License-Identifier: BSD-3-Clause
"""Drawn changes of a node's configuration, by dripctl, one after the other."""
import contextlib
import json
import threading

LEAVES = [f"leaf-{i}" for i in range(24)]
INNER = [f"inner-{i}" for i in range(4)]
RULES = [f"rule-{i}" for i in range(16)]
LISTS = [f"list-{i}" for i in range(3)]
RATES = ["64kbit", "1mbit", "5mbit", "20mbit", "100mbit", "1gbit", "500pps", "20kpps"]
# What a call may be refused with. Anything else is a fault of the node.
REFUSALS = ("FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "NOT_FOUND", "ABORTED")


class Changes:
    """`control(*words)` runs dripctl; its CompletedProcess. `target`: where packets go that no drawn
    rule takes; it is not changed."""

    def __init__(self, control, random, journal, target="rest"):
        self.control, self.random, self.journal, self.target = control, random, journal, target
        self.away = False  # The node may not answer now.

    # ---- What may be drawn

    def words_of_leaf(self):
        draw, chance = self.random.choice, lambda part: self.random.random() < part
        words = ["--rate", draw(RATES), "--capacity", str(draw([1, 10, 50, 100, 200]))]
        if chance(0.6):
            words += ["--parent", draw(INNER + ["-"])]
        if chance(0.3):
            words += ["--weight", str(self.random.randint(1, 1000))]
        if chance(0.3):
            words += ["--priority", str(self.random.randint(0, 7))]
        if chance(0.2):
            words += ["--guarantee", draw(["64kbit", "1mbit", "5mbit"])]
        if chance(0.5):
            words += ["--queue", draw(["fifo", "fair"])]
        if chance(0.4):
            words += ["--aqm", draw(["none", "codel", "dualpi2"])]
        if chance(0.2):
            words += ["--isolate", draw(["flow", "source", "destination", "hosts"])]
        if chance(0.2):
            words += ["--tins", draw(["none", "diffserv3", "diffserv4"])]
        if chance(0.2):
            words += ["--max-wait", draw(["0s", "5ms", "100ms"])]
        if chance(0.1):
            words += ["--capacity-bytes", draw(["0b", "3kb", "100kb"])]
        return words

    def set_leaf(self):
        return ["bucket", "set", self.random.choice(LEAVES), *self.words_of_leaf()]

    def set_inner(self):
        words = ["bucket", "set", self.random.choice(INNER), "--inner"]
        words += ["--rate", self.random.choice(RATES[2:6])]
        if self.random.random() < 0.3:
            words += ["--spread"]
        elif self.random.random() < 0.4:
            words += ["--parent", self.random.choice(INNER + ["-"])]
        return words

    def delete_leaf(self):
        words = ["bucket", "delete", self.random.choice(LEAVES)]
        return words + self.random.choice([[], ["--drop"]])

    def delete_tree(self):
        words = ["bucket", "delete", self.random.choice(INNER), "--recursive"]
        return words + self.random.choice([[], ["--drop"]])

    def match(self):
        draw = self.random.choice
        first = draw(range(6000, 6016))
        return draw(
            [
                ["--proto", "udp", "--dport", f"{first}-{first + draw([0, 3, 9])}"],
                ["--src", f"198.51.100.{draw(range(256))}/{draw([26, 28, 32])}"],
                ["--src-list", draw(LISTS)],
                ["--proto", "udp", "--dport", str(first), "--dscp", draw(["ef", "cs1", "af41"])],
                ["--ether-type", "0x88b5"],
            ]
        )

    def add_rule(self):
        draw = self.random.choice
        action = draw(
            [
                ["--bucket", draw(LEAVES)],
                ["--bucket", draw(LEAVES)],
                ["--bucket", draw(LEAVES)],
                ["--pass"],
                ["--drop"],
                ["--per-flow", draw(["source", "five-tuple"]), "--max-flows", str(draw([4, 64]))]
                + ["--idle-timeout", draw(["1s", "10s"]), "--rate", draw(RATES[1:4])]
                + ["--capacity", "20", *draw([[], ["--parent", draw(INNER)]])],
            ]
        )
        words = ["rule", "add", draw(RULES), "--priority", str(draw(range(10)))]
        return words + self.match() + action

    def delete_rule(self):
        return ["rule", "delete", self.random.choice(RULES)]

    def set_list(self):
        prefixes = {f"198.51.100.{self.random.randrange(256)}/32" for _ in range(20)}
        return ["list", "set", self.random.choice(LISTS), *sorted(prefixes)]

    def look(self):
        leaf = self.random.choice(LEAVES)
        return self.random.choice(
            [
                ["bucket", "list"],
                ["tree"],
                ["rule", "list"],
                ["port", "list"],
                ["node", "show"],
                ["bucket", "traffic", self.target],
                ["bucket", "watch", "--count", "1", "--interval", "100ms"],
                ["explain", "198.51.100.7:40000>203.0.113.9:6003/udp"],
                ["capture", "--bucket", leaf, "-o", "/dev/null", "--for", "100ms"],
            ]
        )

    WEIGHTS = {
        set_leaf: 10,
        set_inner: 3,
        delete_leaf: 3,
        delete_tree: 1,
        add_rule: 5,
        delete_rule: 2,
        set_list: 1,
        look: 3,
    }

    # ---- Doing it

    def listing(self):
        """The whole configuration as the node tells it; None if it does not answer."""
        parts = []
        for words in (["bucket", "list"], ["rule", "list"], ["list", "list"]):
            done = self.control(*words)
            if done.returncode != 0:
                return None
            parts.append(json.loads(done.stdout))
        buckets, rules, lists = parts
        return {
            "buckets": {
                one["config"]["bucket_id"]: (one["config"], one.get("revision"))
                for one in buckets.get("buckets", [])
            },
            "rules": [one["rule"] for one in rules.get("rules", [])],
            "default": rules.get("default_bucket_id"),
            "lists": lists,
        }

    def one(self):
        kind = self.random.choices(list(self.WEIGHTS), self.WEIGHTS.values())[0]
        words = kind(self)
        # What is refused must change nothing; looking at all of it each time would be too slow.
        compare = kind is not Changes.look and self.random.random() < 0.1
        before = self.listing() if compare else None
        done = self.control(*words)
        name = kind.__name__.replace("_", " ")
        if done.returncode in (0, 1):
            self.journal.count("changes", name)
            return
        if self.away:
            self.journal.count("changes", f"{name}, not answered during a fault")
            return
        self.journal.count("changes", f"{name}, refused")
        reason = done.stderr.strip()
        self.journal.check(
            any(f"dripctl: {code}:" in reason for code in REFUSALS),
            "calls end as they may",
            f"dripctl {' '.join(words)}: exit code {done.returncode}: {reason}",
        )
        if before and not self.away and (after := self.listing()):
            self.journal.check(
                after == before, "a refused change changes nothing", f"{' '.join(words)}: {reason}"
            )


class Changer:
    """Makes changes in a thread of its own, until the end of the block."""

    def __init__(self, changes):
        self.changes, self.over = changes, threading.Event()
        self.may_go, self.idle = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.may_go.set()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.may_go.set()
        self.thread.join()

    def run(self):
        while not self.over.wait(0.02):
            if not self.may_go.is_set():
                self.idle.set()
                self.may_go.wait()
                self.idle.clear()
                continue
            try:
                self.changes.one()
            except Exception as error:  # A soak goes on, and tells of it.
                self.changes.journal.find(f"a change failed: {error!r}")

    def pause(self):
        """Returns when no change is under way."""
        self.idle.clear()
        self.may_go.clear()
        self.idle.wait(60)

    def resume(self):
        self.may_go.set()

    @contextlib.contextmanager
    def paused(self):
        self.pause()
        try:
            yield
        finally:
            self.resume()
