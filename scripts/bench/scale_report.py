# SPDX-License-Identifier: BSD-3-Clause
"""The page of several polling cores: throughput by where packets come, and what a move costs."""
from figures import count_text, shown, text
from markdown import table


def scale(rows):
    return f"""### Polling cores

dripd's engine on threads, closed loop, nothing throttled, the whole path. Buckets are made in turns
on the cores; where the packets of a bucket come is emulated. *private*: to the core that owns it.
*arbitrary*: to one core, by a hash, as with receive side scaling. *After the moves*: the same once
buckets were moved to where their packets come ([decision](../decisions/0019-moves.md)), all of them
before it was measured. *wrong*: to one core that is never the owner. *shared*: to any core, many
flows of each bucket. *worker + transmitter*: half of the cores receive, the others have the buckets.
*Elsewhere*: the part of the buckets that are not where their packets come, so that each packet is
handed over ([decision](../decisions/0004-hand-off.md)).

{table(["layout", "cores", "buckets", "Mpps", "times one core", "elsewhere"],
       [[row["layout"], str(row["cores"]), count_text(row["buckets"]), shown(row["mpps"]),
         text(row["times_one"]), elsewhere(row)] for row in rows])}"""


def elsewhere(row):
    if row["layout"] in ("one", "shared", "worker + transmitter"):
        return ""
    return shown(row["wrong_percent"]) + " %"


def moves(rows):
    jobs = (
        ("longest_us", "longest job"),
        ("arrive_us", "arrive"),
        ("stop_us", "stop"),
        ("take_over_us", "take over"),
        ("forget_us", "forget"),
    )
    return f"""### What a move takes of a polling thread

The jobs of one move of buckets from one CPU to another, all full, in us; a polling thread does
nothing else during a job. One job is for one bucket, or for as many as dripd moves in one. *arrive*:
the new thread makes the buckets; *stop*: the old one takes them off its wheel, and what waits out of
a fair queue; *take over*: the new one reads what the old one had, and admits what came meanwhile, 32
packets a bucket; *forget*: the old one gives them up. The packets of a fair queue are of 16 flows.

{table(["queue", "capacity", "buckets together", *(title for _, title in jobs)],
       [[row["queue"], f"{row['capacity']:,}", str(row["buckets"]),
         *(shown(row[key]) for key, _ in jobs)] for row in rows])}"""
