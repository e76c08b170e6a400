# SPDX-License-Identifier: BSD-3-Clause
"""Targets of throttled load and of the longest loop."""
from figures import count_text, middle

STALLS = "stalls of the virtual CPU, which outlast the backlog that the bucket had"
COLD = (
    "the packets themselves: each that waited is out of the nearest cache when it leaves, and its mbuf "
    "is written to be sent and freed"
)
PEER_RATE = "; librte_sched is held to 3 % of the rate, Drip to 0.5 %"
LOOP = "a burst of departures beside one of arrivals, each of them with its cache misses"


def missed(rows, targets):
    for row in rows:
        if (row["case"], row["path"], row["buckets"]) != ("load", "whole", 65536):
            continue
        if row["offered_mpps"] == 8:
            targets.at_most(
                f"throttled, whole, 8 Mpps offered to 64k buckets, {row['start']}, missed",
                {"staggered": 0.5, "in step": 2}[row["start"]],
                middle(row["missed_percent"]),
                " %",
                COLD,
                2,
            )


def beside_peer(start, n, mine, peer, targets):
    what = f"throttled, times librte_sched's packets, {start}, {count_text(n)}"
    if middle(peer["departed_mpps"]) > 0:
        times = middle(mine["departed_mpps"]) / middle(peer["departed_mpps"])
        targets.at_least(what, 2.5, times, "", COLD + PEER_RATE)
        return
    reached = middle(mine["departed_mpps"])
    bound = "librte_sched did not hold its rate to 3 % with its receive ring at any load"
    verdict = "met" if reached > 0 else "**missed**"
    targets.lines.append([what, "at least 2.5", f"{reached:.1f} Mpps beside none", verdict, bound])


def most(rows, targets):
    by_load = {
        (row["path"], row["start"], row["buckets"]): row for row in rows if row["case"] == "most"
    }
    for start, n, wanted in (
        ("staggered", 1024, 20),
        ("staggered", 65536, 6),
        ("in step", 65536, 4),
        ("staggered", 1 << 20, 3),
    ):
        row = by_load.get(("whole", start, n))
        if row:
            targets.at_least(
                f"throttled, whole, {start}, {count_text(n)}, Mpps that leave",
                wanted,
                middle(row["departed_mpps"]),
                "",
                COLD,
            )
    for (path, start, n), row in by_load.items():
        peer = by_load.get(("librte_sched", start, n))
        if path == "buckets" and peer:
            beside_peer(start, n, row, peer, targets)
        if path in ("buckets", "whole"):
            targets.at_most(
                f"throttled, rate off by, {path}, {start}, {count_text(n)}",
                0.5,
                abs(middle(row["error_percent"])),
                " %",
                STALLS,
                4,
            )


def throttled(rows, targets):
    """Of buckets that come in turn, with frames of 64 bytes."""
    missed(rows, targets)
    most(rows, targets)


def tree_loops(rows, targets):
    for row in rows:
        stalls = f"{row['stall_us']:g} us made up for" if row["stall_us"] else "no stalls"
        targets.at_most(
            f"longest loop of a tree, root congested with {row['buckets']:,} backlogged children, "
            f"{row['offered_mpps']:g} Mpps offered, {stalls}",
            20,
            row["longest_us"],
            " us",
            LOOP,
            1,
        )


def loops(rows, targets):
    for row in rows:
        if row["case"] == "loops" and row["buckets"] in (65536, 1 << 20):
            stalls = f"{row['stall_us']:g} us made up for" if row["stall_us"] else "no stalls"
            targets.at_most(
                f"longest loop by what it does, {row['start']}, {count_text(row['buckets'])}, "
                f"{row['offered_mpps']:g} Mpps offered, {stalls}",
                20,
                row["longest_us"],
                " us",
                LOOP,
                1,
            )
