# SPDX-License-Identifier: BSD-3-Clause
"""The page of throttled load: what leaves, the most that can, the longest loops."""
from figures import count_text, shown, text
from markdown import table

LOAD = (
    ("departed_mpps", "left Mpps"),
    ("error_percent", "rate off by %"),
    ("missed_percent", "missed %"),
    ("busy_percent", "core busy %"),
    ("busy_cycles", "cycles a packet received"),
    ("burst", "packets a busy loop"),
    ("long_loops", "loops above 100 us a second"),
    ("stalled_percent", "of the time %"),
)
MOST = (
    ("departed_mpps", "left Mpps"),
    ("error_percent", "rate off by %"),
    ("missed_percent", "missed %"),
    ("million_polls", "million polls of the receive ring a second"),
)
LOOPS = (
    ("longest_us", "longest us"),
    ("p999_us", "p99.9 us"),
    ("p50_us", "p50 us"),
)


def rows_of(rows, case):
    return [row for row in rows if row["case"] == case]


def load_table(rows):
    return table(
        ["path", "departures", "buckets", "offered Mpps", *(title for _, title in LOAD)],
        [
            [
                row["path"],
                row["start"],
                count_text(row["buckets"]),
                text(row["offered_mpps"]),
                *(shown(row[key]) for key, _ in LOAD),
            ]
            for row in rows_of(rows, "load")
        ],
    )


def most_table(rows):
    return table(
        ["path", "departures", "buckets", *(title for _, title in MOST)],
        [
            [
                row["path"],
                row["start"],
                count_text(row["buckets"]),
                *(
                    "none held" if row["departed_mpps"]["median"] == 0 else shown(row[key])
                    for key, _ in MOST
                ),
            ]
            for row in rows_of(rows, "most")
        ],
    )


MOST_TEXT = "The most that leaves within the same bounds:"


def both(rows, most_text=MOST_TEXT):
    parts = []
    if rows_of(rows, "load"):
        parts.append(load_table(rows))
    if rows_of(rows, "most"):
        parts.append(most_text + "\n\n" + most_table(rows))
    return "\n".join(parts)


def throttled(rows):
    most_text = """The most that leaves, by bisection to 3 %: within 0.5 % of what is allowed, and less than 3 % missed
at the receive ring. A step that fails while the machine withheld the CPU for 1 % of the time is
tried up to three times. librte_sched has the same ring and the same bound on what is missed; its
credits are rounded, and its rates off by up to 1.2 % at any load, so it is held to 3 % of the rate."""
    return f"""### Twice the allowed load offered

Each bucket's rate is half of what comes to it. *buckets*: admit, wheel, depart; *whole*: dripd's
loop, with parsing and rules; *tree*: three levels above the leaves, the root at the bottleneck;
*librte_sched*: a pipe for each bucket, or a tree of pipes of four queues whose subport is the
bottleneck. Arrivals are paced, into a receive ring of 4096, librte_sched's as well; *missed* is
what that ring lost, stalls of the machine included. First departures of the buckets are *staggered*
over their period, as those of customers are, or *in step*: all of them in one half of it, at twice
the rate, which stays so and is the hard case. The queues are filled before it is measured, as far
as packets come in faster than they leave: where a core is at its end they do not, and about half is
missed. *Core busy*: the part of the time in loops that received or sent something. A loop with one
packet waits for memory as long as one with many, so a busy core need not be at its end: *missed*
tells that. In loops above 100 us the machine had withheld the CPU.

{both(rows, most_text)}"""


def fair(rows):
    return f"""### Fair queues

The same for buckets with fair queues, each with packets of four flows, which are parsed to tell the
flows apart; beside it the whole path with buckets that are one FIFO each. A full bucket drops the
head of its longest flow (RFC 8290), so a packet that comes is queued before another one is dropped.

{both(rows)}"""


def million(rows):
    return f"""### A million buckets

The same; a bucket holds 4 packets.

{both(rows)}"""


def zipf(rows):
    return f"""### Buckets of very different rates

The same where packets come to the k-th most popular bucket in proportion to 1/k, and each bucket is
allowed half of what comes to it: from a few packets a second to hundreds of thousands, so that all
levels of the timing wheel are in use. A bucket holds 5 ms of its packets, 8 at least.

{both(rows)}"""


def imix(rows):
    return f"""### A mix of frame sizes

IMIX: 7 frames of 64 bytes, 4 of 570, 1 of 1518. The rates are in bits, so the services of one
bucket are of different lengths, and *off by* is of bits.

{both(rows)}"""


def full(rows):
    return f"""### Long frames

1518 bytes with FCS, rates in bits; only the first 64 bytes of a frame are memory.

{both(rows)}"""


def loops(rows):
    return f"""### The longest loop

How long one loop of the whole path takes by what it does. The machine withholds the CPU now and
then, which no clock in it tells from work. So the same loops are run three times in virtual time,
one each 2 us, and each counts with the shortest of its three times. *Stalls*: every 10 ms so much
time passes at once, so that what has become due meanwhile is made up for. *Withheld*: loops of one
run that took 10 us more than in another one.

{loop_table(rows, ["departures", "buckets"], lambda row: [row["start"], count_text(row["buckets"])])}"""


def tree_loops(rows):
    return f"""### The longest loop of a tree

All leaves are children of one root, which lets through half of what comes, and are full; the loop
admits and sends, without parsing and rules. Otherwise it is that of
[the longest loop](throttled.md#the-longest-loop).

{loop_table(rows, ["children"], lambda row: [f"{row['buckets']:,}"])}"""


def loop_table(rows, titles, what):
    """With what a row is of first."""
    return table(
        [*titles, "offered Mpps", "stalls", "loops", *(title for _, title in LOOPS), "withheld"],
        [
            [
                *what(row),
                text(row["offered_mpps"]),
                f"{row['stall_us']:g} us" if row["stall_us"] else "none",
                f"{row['loops']:,.0f}",
                *(text(row[key]) for key, _ in LOOPS),
                f"{row['withheld']:,.0f}",
            ]
            for row in rows_of(rows, "loops")
        ],
    )
