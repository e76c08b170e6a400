# SPDX-License-Identifier: BSD-3-Clause
"""What Drip was to reach, what it reached, and what bounds it where it did not."""
import statistics

from figures import count_text, middle
from scale_targets import CPU_THREADS, scale
from throttled_targets import STALLS, loops, throttled, tree_loops

MISSES = "cache misses: a departure touches three lines of its bucket, its ring slot and the wheel's slot"
SENDER = (
    "the sender's core, which also does the interrupts of dripd's ingress interface; with RPS HTB "
    "shapes on the second core, where dripd polls"
)
TREE_LINES = (
    "cache lines: a packet touches four of its leaf, two of its ring and four of the leaf's parent, twice "
    "if it waits"
)
TREE_LENGTH = "instructions, of the 128-bit times, counters and shares of each node (`tests/bench` counts them)"
PACER = "the machine's stalls: a pacer alone, without a shaper, has nearly the same p99"


class Targets:
    """Collects lines (what, wanted, reached, verdict, what bounds it)."""

    def __init__(self):
        self.lines = []

    def at_most(self, what, wanted, reached, unit, bound, digits=2):
        self._add(
            what,
            f"at most {wanted}{unit}",
            reached,
            unit,
            reached <= wanted,
            reached / wanted - 1 if wanted else 0,
            bound,
            digits,
        )

    def at_least(self, what, wanted, reached, unit, bound, digits=2):
        self._add(
            what,
            f"at least {wanted}{unit}",
            reached,
            unit,
            reached >= wanted,
            1 - reached / wanted,
            bound,
            digits,
        )

    def _add(self, what, wanted, reached, unit, met, off, bound, digits):
        by = (
            f"by {abs(off) + 1:.0f} times"
            if abs(off) >= 10
            else f"by {100 * abs(off):.{0 if abs(off) >= 0.1 else 1}f} %"
            if off
            else ""
        )
        self.lines.append(
            [
                what,
                wanted,
                f"{reached:,.{digits}f}{unit}",
                f"met {by}" if met else f"**missed {by}**",
                "" if met else bound,
            ]
        )


def cost(rows, targets):
    cycles = {(row["order"], row["path"], row["buckets"]): middle(row["cycles"]) for row in rows}
    for path in ("straight", "scheduled"):
        for order in ("round-robin", "zipf"):
            for n in (1024, 16384, 65536):
                if (order, path, n) in cycles and (order, "librte_sched", n) in cycles:
                    targets.at_most(
                        f"bucket path over librte_sched, {path}, {order}, {count_text(n)}",
                        0.333,
                        cycles[order, path, n] / cycles[order, "librte_sched", n],
                        "",
                        "instructions, of the 128-bit times and of the wheel, and "
                        "the scheduled path's second visit of each bucket"
                        if n < 16384
                        else MISSES,
                    )
    for path, n, wanted in (
        ("straight", 1024, 40),
        ("straight", 65536, 100),
        ("straight", 1 << 20, 230),
        ("scheduled", 1024, 40),
        ("scheduled", 65536, 100),
        ("scheduled", 1 << 20, 230),
        ("whole", 65536, 200),
        ("whole", 1 << 20, 400),
        # Wanted of the second generation.
        ("whole", 1024, 75),
        ("whole", 65536, 100),
        ("whole", 1 << 20, 160),
    ):
        if ("round-robin", path, n) in cycles:
            targets.at_most(
                f"cycles a packet, {path}, {count_text(n)} buckets",
                wanted,
                cycles["round-robin", path, n],
                "",
                "cache misses: rule, hash slot, bucket and mbuf of each packet"
                if path == "whole"
                else "the second visit: insertion, collection and the departure time, twice"
                if n < 16384
                else MISSES,
                0,
            )


def trees(rows, targets):
    # Those of the shape that librte_sched has as well, and paths by levels.
    cycles = {
        (row["bottleneck"], row["path"], row["leaves"]): middle(row["cycles"])
        for row in rows
        if row["levels"] == 3 and row["shape"].endswith("x 4")
    }
    for n, wanted in ((1024, 1.0), (16384, 0.65), (65536, 0.5)):
        if ("root", "drip", n) in cycles and ("root", "librte_sched", n) in cycles:
            targets.at_most(
                f"tree over librte_sched, root at the bottleneck, {count_text(n)} leaves",
                wanted,
                cycles["root", "drip", n] / cycles["root", "librte_sched", n],
                "",
                TREE_LINES if n > 1024 else TREE_LENGTH,
            )
    for bottleneck, n, wanted in (
        ("root", 1 << 20, 200),
        ("leaves", 65536, 230),
        ("leaves", 1 << 20, 350),
    ):
        if (bottleneck, "drip", n) in cycles:
            targets.at_most(
                f"cycles a packet in a tree, {bottleneck} at the bottleneck, {count_text(n)} leaves",
                wanted,
                cycles[bottleneck, "drip", n],
                "",
                TREE_LINES,
                0,
            )
    idle = {
        row["levels"]: middle(row["cycles"])
        for row in rows
        if row["bottleneck"] == "idle"
        and row["path"] == "drip"
        and row["leaves"] == 1024
        and (row["levels"] != 3 or row["shape"].endswith("x 4"))
    }
    if 3 in idle:
        what = "cycles a packet in a tree whose path is idle, 3 levels above the leaf, 1k leaves"
        targets.at_most(what, 70, idle[3], "", TREE_LENGTH, 0)
    if 1 in idle and 4 in idle:
        more = (idle[4] - idle[1]) / 3
        targets.at_most("each further level of that", 20, more, " cycles", TREE_LENGTH, 0)


def queues(rows, targets):
    for row in rows:
        if row["path"] == "codel" and (row["leaves"], row["flows"]) == (1024, 8):
            targets.at_most(
                "cycles a packet in fair queues with COBALT more than in a ring, 1k leaves of 8 flows",
                70,
                middle(row["more"]),
                "",
                "instructions: key, hash, flow, round and AQM of each packet",
                0,
            )


def spread(rows, targets):
    for row in rows:
        if "used_percent" in row and row["cores"] == 2 and row["max_catchup_us"] >= 100_000:
            targets.at_least(
                "spread root, changing demand on two cores, of the rate used",
                97,
                middle(row["used_percent"]),
                " %",
                "a share that one core no longer needs is idle until the other one has it",
                1,
            )
            targets.at_most(
                "spread root, looks at which the cores' shares were more than the rate",
                0,
                row["shares_beyond"]["high"],
                "",
                "",
                0,
            )
        if "times_one" in row and row["cores"] == 2:
            what = "spread root, two cores over one, by CPU time"
            targets.at_least(what, 1.8, row["times_one_by_cpu"], "", CPU_THREADS)


def precision(rows, targets):
    drip = {(row["rate"], row["beside"]): row for row in rows if row["path"] == "drip"}
    for rate, beside, wanted in (
        ("1 Gbit/s", 0, 100),
        ("100 Mbit/s", 0, 200),
        ("1 Gbit/s", 65536, 1000),
        ("1 Gbit/s", 65536, 250),
    ):
        if (rate, beside) in drip and drip[rate, beside]["calm_gaps"] > 0:
            targets.at_most(
                f"spacing at {rate}, {count_text(beside)} beside, calm p99",
                wanted,
                drip[rate, beside]["calm_p99_ns"],
                " ns",
                STALLS,
                0,
            )
    errors = {
        row["rate"]: abs(row["rate_error_ppm"])
        for row in rows
        if row["path"] == "drip" and row["beside"] == 0 and row["rate"].endswith("bit/s")
    }
    for rate, error in errors.items():
        targets.at_most(
            f"long-run rate at {rate}, off by",
            1,
            error,
            " ppm",
            "how few gaps there are at this rate: each end is one departure, late by what "
            "the machine withheld",
            3,
        )
    if ("14.88 Mpps", 0) in drip:
        targets.at_most(
            "one bucket at 14.88 Mpps, rate off by",
            5000,
            abs(drip["14.88 Mpps", 0]["rate_error_ppm"]),
            " ppm",
            STALLS + " (65536 packets, 4 ms)",
            1,
        )


def memory(rows, targets):
    for row in rows:
        if row["buckets"] >= 1 << 20:
            for wanted in (512, 384):
                targets.at_most(
                    "memory of an idle bucket less its ring, a million",
                    wanted,
                    row["idle"],
                    " bytes",
                    "five cache lines and a name of 16 bytes with its settings and "
                    "indexes; histograms come with the first rule or request",
                    0,
                )


def control(rows, targets):
    for row in rows:
        if row.get("of_empty"):
            targets.at_least(
                f"AllowRequest of an empty method, {row['connections']} x "
                f"{row['outstanding']} calls",
                0.8,
                middle(row["of_empty"]),
                "",
                "a mailbox job and two threads taking turns, beside gRPC's own work",
            )
        if row["case"] == "bulk":
            targets.at_most(
                f"{row['buckets']:,} buckets configured",
                10,
                middle(row["create_s"]),
                " s",
                "gRPC's messages",
                1,
            )
        if row["case"] == "change" and middle(row.get("calls_per_second", 0)) > 0:
            targets.at_least(
                f"single changes a second under full load ({row['meanwhile']})",
                10000,
                middle(row["calls_per_second"]),
                "",
                "two CPUs, of which one polls: client, gRPC and dripd's threads share the other",
                0,
            )
            targets.at_most(
                f"packets lost meanwhile ({row['meanwhile']})",
                0,
                middle(row["packets_dropped"]),
                "",
                "",
                0,
            )
        if row["case"] == "stream" and row["entries_a_message"] > 1:
            targets.at_least(
                f"AllowRequests, admits a second and server core, {row['entries_a_message']} "
                f"{row['entries']} x {row['units_an_entry']}",
                1000000,
                middle(row["admits_per_server_core_second"]),
                "",
                "protobuf",
                0,
            )


def kernel(result, targets):
    best = lambda prefix, n: max(
        statistics.median(one["pps"] for one in row["rounds"])
        for row in result["throughput"]
        if row["shaper"].startswith(prefix) and row["buckets"] == n
    )
    for n in sorted({row["buckets"] for row in result["throughput"]}):
        targets.at_least(
            f"dripd over tc HTB, packets a second over veth, {count_text(n)}",
            1.0,
            best("dripd", n) / best("HTB", n),
            "",
            SENDER,
        )
    for rate in sorted({row["rate_bps"] for row in result["spacing"]}):
        p99 = {
            row["shaper"]: statistics.median(one["error_ns"]["p99"] for one in row["rounds"])
            for row in result["spacing"]
            if row["rate_bps"] == rate
        }
        targets.at_most(
            f"dripd's p99 spacing error over HTB's at {rate / 1e6:.0f} Mbit/s",
            0.1,
            p99["dripd, af_xdp"] / p99["HTB"],
            "",
            PACER,
        )


def lines(results):
    """Of all results that are there, by name."""
    targets = Targets()
    for name, judge in (
        ("throttled", throttled),
        ("million", throttled),
        ("loops", loops),
        ("tree_loops", tree_loops),
        ("cost", cost),
        ("trees", trees),
        ("spread", spread),
        ("queues", queues),
        ("precision", precision),
        ("scale", scale),
        ("memory", memory),
        ("control", control),
    ):
        if results.get(name, {}).get("rows"):
            judge(results[name]["rows"], targets)
    if "kernel" in results:
        kernel(results["kernel"], targets)
    return targets.lines
