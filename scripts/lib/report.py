# SPDX-License-Identifier: BSD-3-Clause
"""The table that main_job.py prints."""
import dataclasses
from typing import Optional

from rates import format_rate


@dataclasses.dataclass
class Row:
    label: str
    asked_bps: float
    sent_bps: float
    received_bps: float
    offered_bps: Optional[float]
    least_offered_bps: float  # Between two samples.
    rejected: dict
    sojourn_p50_ns: float
    sojourn_p99_ns: float
    must_be_exact: bool


def milliseconds(ns):
    return f"{int(ns) / 1e6:.3g} ms"


def print_table(rows, notes, balance):
    header = (
        "flow",
        "offered",
        "asked",
        "sent by dripd",
        "received",
        "off by",
        "rejected",
        "sojourn p50",
        "p99",
    )
    lines = [header]
    for row in rows:
        rejected = (
            ", ".join(
                f"{name.removeprefix('rejected_')} {count}"
                for name, count in row.rejected.items()
                if count
            )
            or "none"
        )
        lines.append(
            (
                row.label,
                format_rate(row.offered_bps) if row.offered_bps else "-",
                format_rate(row.asked_bps),
                format_rate(row.sent_bps),
                format_rate(row.received_bps),
                f"{(row.received_bps / row.asked_bps - 1) * 100:+.2f} %",
                rejected,
                milliseconds(row.sojourn_p50_ns),
                milliseconds(row.sojourn_p99_ns),
            )
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    print()
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
    print()
    for note in notes:
        print(note)
    print(f"balance: {balance.text}: {'holds' if balance.holds else 'DOES NOT HOLD'}")
