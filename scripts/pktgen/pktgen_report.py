# SPDX-License-Identifier: BSD-3-Clause
"""Pktgen's results as Markdown."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import machine
from markdown import table

HEADER = [
    "case",
    "sent Mpps",
    "received Mpps",
    "received Gbit/s",
    "sent",
    "lost",
    "dropped by dripd",
]


def line(row):
    name = row["case"] + (f", {row['percent']:.2f} % of the line" if "percent" in row else "")
    return [
        name,
        f"{row['sent_pps'] / 1e6:.3f}",
        f"{row['received_pps'] / 1e6:.3f}",
        f"{row['received_pps'] * row['frame_bytes'] * 8 / 1e9:.3f}",
        str(row["sent"]),
        str(row["lost"]),
        ", ".join(f"{reason} {count}" for reason, count in row.get("drops", {}).items()),
    ]


def latency_text(rows):
    return "".join(
        f"Latency packets: {row['latency_packets']}; the delay of {row['jitter_count']} of them "
        "differs by more than 10 us from that of the one before; delay "
        f"{row['min_us']:.1f} / {row['avg_us']:.1f} / {row['max_us']:.1f} us (min / avg / max).\n\n"
        for row in rows
        if "latency_packets" in row
    )


def failures_text(failures):
    return "".join(
        f"**{failure['run']} failed**:\n\n"
        + "".join(f"    {text}\n" for text in failure["why"].splitlines())
        + "\n"
        for failure in failures
    )


def markdown(result):
    return f"""### Pktgen-DPDK over vhost-user

{machine.head(result)}

Pktgen sends and receives on core 0, dripd polls on core 1; the line is taken to be 10 Gbit/s.

{table(HEADER, [line(row) for row in result["rows"]])}
{latency_text(result["rows"])}{failures_text(result["failures"])}\
Balance of dripd after each run: {", ".join(result["balances"]) or "none"}.
"""
