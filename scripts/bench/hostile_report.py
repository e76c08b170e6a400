#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The table of hostile.sh's figures: hostile_report.py HOSTILE.JSON prints the Markdown."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
from markdown import table
from observed_report import spread


def markdown(result):
    lines = []
    for name, runs in result["runs"].items():
        lines.append(
            [
                name,
                spread(runs, "p50_ms", 1, 2),
                spread(runs, "p99_ms", 1, 2),
                spread(runs, "max_ms", 1, 1),
                str(sum(run["errors"] for run in runs)),
                spread(runs, "resident_mb", 1, 0),
                spread(runs, "lateness_p99_ns", 1000, 2),
                str(sum(run["lost"] for run in runs)),
            ]
        )
    did = {}
    for run in result["runs"]["among hostile clients"]:
        for name, (done, refused) in run["hostile"].items():
            before = did.get(name, (0, 0))
            did[name] = (before[0] + done, before[1] + refused)
    counted = [[name, str(done), str(refused)] for name, (done, refused) in did.items()]
    each = result["clients"] // 5
    columns = [
        "",
        "AllowRequest p50 ms",
        "p99 ms",
        "longest ms",
        "failed",
        "resident MB",
        "lateness p99 us",
        "packets lost",
    ]
    return f"""# Among hostile clients

{result["machine"]}, Linux {result["kernel"]}, commit {result["commit"]}, by `{result["command"]}`.
Medians of {len(result["runs"]["alone"])} runs of each in turn, and their ranges.

One core polls at full load, as in [observed](observed.md). A well-behaved client asks AllowRequest
every 5 ms by a unix socket. At the same time, by TCP, {result["clients"]} hostile clients: {each} that
connect and say nothing, {each} that send a byte a second, {each} that watch all buckets ten times a
second and read nothing, {each} that send messages of 48 MiB, {each} that call without a pause; and
{10 * result["clients"]} idle connections. dripd has `--client-limit calls_per_second=300` and
`connections=20000`. All but the polling thread share the other core; the hostile ones have the lowest
priority there, since it is dripd that is measured and not who gets the CPU.

{table(columns, lines)}
What the hostile clients did in all runs together, and how often they were refused by a limit:

{table(["", "done", "refused"], counted)}"""


if __name__ == "__main__":
    print(markdown(json.loads(pathlib.Path(sys.argv[1]).read_text())), end="")
