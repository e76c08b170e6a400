#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each case of drip-bench in small: packets are judged, times are not. BUILD"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

BUCKETS = "64,1024"
# How far the rates of a path are off at any load, and what it may send at once.
PEERS = {"librte_sched": 0.03, "librte_sched tree": 0.03}
PEER_CREDITS = 0.005  # Seconds of its rate, in the token bucket of a subport.


def check(holds, what, row):
    if not holds:
        short = {key: value for key, value in row.items() if key != "error_quantiles_ns"}
        sys.exit(f"FAILED: {what}\n{json.dumps(short, indent=1)}")


def check_load(row):
    counts = row["counts"]
    where = counts["left_ever"] + counts["dropped_ever"] + counts["waiting"]
    check(counts["received_ever"] == where, "what came is not what left, was dropped or waits", row)
    arrived = counts["received"] + counts["missed"] + counts["ring_growth"]
    check(abs(counts["arrived"] - arrived) < 1, "what arrived is not what was received", row)
    check(counts["left_ever"] > 0, "nothing left", row)
    check(counts["dropped_ever"] > 0, "nothing was dropped of twice the load", row)
    if row["frames"] == "imix":
        return
    # Of each bucket one packet leaves at once, and whatever came later its schedule allows no more.
    most = counts["allowed_pps"] * counts["seconds_ever"] * (1 + PEERS.get(row["path"], 1e-3))
    most += 2 * row["buckets"] + (
        PEER_CREDITS * counts["allowed_pps"] if row["path"] in PEERS else 0
    )
    check(counts["left_ever"] <= most, f"more left than {most:.0f} packets that are allowed", row)


def check_throttled(rows):
    for row in rows:
        if row["case"] == "load":
            check_load(row)
        if row["case"] == "most" and row["departed_mpps"]["median"] > 0:
            bound = 3 if row["path"] in PEERS else 0.5
            check(abs(row["error_percent"]["median"]) < bound, "a rate was not held", row)
            check(row["missed_percent"]["median"] < 3, "too much was missed", row)
        if row["case"] == "loops":
            check(row["left"] > 0 and 0 < row["p50_us"] <= row["longest_us"], "no loops", row)
            # In virtual time this is exact: half of what is offered, in whole rounds of the buckets.
            due = row["offered_mpps"] / 2 * row["loops"] * 2
            if not row["stall_us"]:
                off = abs(row["left"] - due)
                check(off <= row["buckets"], f"{due:.0f} packets were due", row)
                check(row["missed"] == 0, "something was missed without a stall", row)


def check_scale(rows):
    # Of the buckets those that are elsewhere than their packets, in percent.
    wrong = {"private": (0, 0), "arbitrary": (25, 75), "wrong": (100, 100)}
    wrong["arbitrary, after the moves"] = (0, 0)
    for row in rows:
        counts = row["counts"]
        where = counts["left_ever"] + counts["dropped_ever"]
        check(counts["received_ever"] == where, "what came is not what left or was dropped", row)
        check(counts["left_ever"] > 0, "nothing left", row)
        if row["layout"] in wrong:
            low, high = wrong[row["layout"]]
            elsewhere = row["wrong_percent"]["median"]
            check(low <= elsewhere <= high, f"{low} to {high} % of the buckets are elsewhere", row)
        moved = row["moved"]["median"]
        check((moved > 0) == ("after the moves" in row["layout"]), "buckets moved, or not", row)


def check_moves(rows):
    for row in rows:
        check(row["units"] == row["buckets"] * row["capacity"], "packets were lost in a move", row)


def check_spread(rows):
    for row in rows:
        check(row["mpps"]["median"] > 0, "nothing left", row)
        if "shares_beyond" in row:
            check(row["shares_beyond"]["high"] == 0, "the shares were more than the rate", row)


def check_cycles(rows):
    for row in rows:
        check(row["cycles"]["median"] > 0, "nothing was done", row)


def check_memory(rows):
    for row in rows:
        check(row["full"] > 0, "no memory", row)


THROTTLED = ("throttled", "--offered", "1")
# Each case, and what must be of its rows; at least so many.
CASES = (
    (THROTTLED, check_throttled, 2 * 2 * (4 + 4 + 1)),
    ((*THROTTLED, "--order", "zipf"), check_throttled, 2 * 2 * (3 + 3)),
    ((*THROTTLED, "--frames", "imix", "--only", "load"), check_throttled, 2 * (4 + 4 + 1)),
    ((*THROTTLED, "--frames", "1514", "--only", "load"), check_throttled, 2 * (4 + 4 + 1)),
    ((*THROTTLED, "--only", "loops"), check_throttled, 2 * 2 * 2 + 2 * 2),
    (("cost", "--order", "zipf"), check_cycles, 2 * 7),
    (("trees",), check_cycles, 2 * 3),
    (("queues",), check_cycles, 3 * 7),
    (("scale",), check_scale, 2 * 7),
    (("moves",), check_moves, 2 * 4),
    (("spread",), check_spread, 6),
    (("memory",), check_memory, 2),
)


def main():
    program = pathlib.Path(sys.argv[1]) / "src/bench/drip-bench"
    common = ("--no-huge", "--memory", "600", "--buckets", BUCKETS, "--seconds", "0.02")
    for case, judge, least in CASES:
        if case[0] in ("scale", "spread") and os.cpu_count() < 2:
            print(f"{case[0]} is left out: it needs two CPUs")
            continue
        with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
            path = pathlib.Path(scratch) / "rows.json"
            command = [program, *case, *common, "--repeat", "1", "--json", path]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"FAILED: {' '.join(case)}: {done.returncode}\n{done.stdout}{done.stderr}")
            rows = json.loads(path.read_text())["rows"]
        if len(rows) < least:
            sys.exit(f"FAILED: {' '.join(case)}: {len(rows)} rows of {least}\n{done.stdout}")
        judge(rows)
        print(f"{' '.join(case)}: {len(rows)} rows add up")
    # What cannot be measured is an error, where nothing else is asked for.
    few = (
        "--no-huge",
        "--memory",
        "300",
        "--buckets",
        "1000",
        "--seconds",
        "0.02",
        "--path",
        "tree",
    )
    done = subprocess.run([program, *THROTTLED, *few], capture_output=True, text=True)
    wanted = "--path tree with --buckets 1000: no power of two of leaves"
    if done.returncode == 0 or wanted not in done.stderr:
        sys.exit(f"FAILED: 1000 leaves: {done.returncode}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
