# SPDX-License-Identifier: BSD-3-Clause
"""Targets of several polling cores."""
from figures import count_text, middle

CROSSING = (
    "what crosses between the cores for half of the packets: the hand-off ring's line, the mbuf and its "
    "buffer, there to be sent and back to be filled"
)
CPU_THREADS = "the machine: its two CPUs are threads that share with their host"
# Layout: of two cores over one, and what bounds it.
WANTED = {
    "private": (1.8, CPU_THREADS),
    "arbitrary, after the moves": (1.85, CPU_THREADS),
    "shared": (1.45, CROSSING),
}


def scale(rows, targets):
    mpps = {(row["layout"], row["cores"], row["buckets"]): middle(row["mpps"]) for row in rows}
    for row in rows:
        n = count_text(row["buckets"])
        if row["cores"] == 2 and row["layout"] in WANTED:
            wanted, bound = WANTED[row["layout"]]
            targets.at_least(
                f"two polling cores over one, {row['layout']}, {n}",
                wanted,
                row["times_one"],
                "",
                bound,
            )
        private = mpps.get(("private", row["cores"], row["buckets"]))
        if row["cores"] == 2 and row["layout"] == "shared" and private:
            targets.at_most(
                f"packets of buckets fed by two cores, cost over private ones, {n}",
                1.5,
                private / middle(row["mpps"]),
                "",
                CROSSING,
            )
