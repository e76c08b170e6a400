#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The table of observed.sh's figures: observed_report.py OBSERVED.JSON prints the Markdown."""
import json
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
from markdown import table


def spread(runs, field, scale, digits):
    values = [run[field] / scale for run in runs]
    text = f"{statistics.median(values):.{digits}f}"
    if len(values) > 1:
        text += f" ({min(values):.{digits}f} to {max(values):.{digits}f})"
    return text


def markdown(result):
    lines = []
    for name, runs in result["runs"].items():
        lines.append(
            [
                name,
                spread(runs, "pps", 1e6, 2),
                spread(runs, "lateness_p50_ns", 1, 0),
                spread(runs, "lateness_p99_ns", 1000, 2),
                str(sum(run["lost"] for run in runs)),
            ]
        )
    looks = {}
    for run in result["runs"]["observed"]:
        for name, count in run["looks"].items():
            looks[name] = looks.get(name, 0) + count
    counted = ", ".join(f"{name} {count}" for name, count in sorted(looks.items()))
    return f"""# Looked at under full load

{result["machine"]}, Linux {result["kernel"]}, commit {result["commit"]}, by `{result["command"]}`.
Medians of {len(result["runs"]["alone"])} runs of each in turn, and their ranges.

One core polls: a device replays TCP of 1,024 connections without end, 64 of them into buckets that
hold packets back, all others through one that does not. Observed: metrics, page, `top`, `explain`,
`bucket traffic` and `capture` all at once on the other core, with `--traffic-samples 20000`. Lateness
is that of the buckets that hold packets back.

{table(["", "Mpps sent", "lateness p50 ns", "lateness p99 us", "packets lost"], lines)}
Looks in all runs together: {counted}, and `top` all the time.
"""


if __name__ == "__main__":
    print(markdown(json.loads(pathlib.Path(sys.argv[1]).read_text())), end="")
