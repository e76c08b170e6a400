# SPDX-License-Identifier: BSD-3-Clause
"""What `drip-bench control` found, as Markdown."""
from markdown import table

# A case: its heading, what a row is named by, and its columns as (figure, heading, divisor).
CASES = {
    "allow": (
        "AllowRequest beside a method that does nothing",
        ["method", "connections", "outstanding"],
        [
            ("calls_per_second", "calls/s", 1),
            ("of_empty", "of the empty method", 1),
            ("p50_us", "p50 us", 1),
            ("p99_us", "p99 us", 1),
            ("server_cpu_us", "server CPU us/call", 1),
        ],
    ),
    "stream": (
        "AllowRequests",
        ["entries", "entries_a_message", "units_an_entry"],
        [
            ("admits_per_second", "million units/s", 1e6),
            ("admits_per_server_core_second", "million units/s and server core", 1e6),
        ],
    ),
    "bulk": (
        "Very many buckets",
        ["buckets"],
        [
            ("create_s", "create s", 1),
            ("change_s", "change s", 1),
            ("list_s", "list s", 1),
            ("watch_interval_s", "interval of a 1 s watch", 1),
            ("rss_less_ring_bytes", "memory of one less its ring, bytes", 1),
        ],
    ),
    "change": (
        "Single changes beside a full load of packets",
        ["meanwhile"],
        [
            ("calls_per_second", "calls/s", 1),
            ("call_p99_us", "call p99 us", 1),
            ("packets_per_second", "Mpps", 1e6),
            ("packets_dropped", "packets dropped", 1),
            ("lateness_p50_ns", "lateness p50 ns", 1),
            ("lateness_p99_ns", "p99 ns", 1),
            ("lateness_p999_ns", "p99.9 ns", 1),
        ],
    ),
}


def number(value):
    if value == 0:
        return "0"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def cell(figure, divisor):
    if figure is None:
        return ""
    if not isinstance(figure, dict):
        return number(figure / divisor)
    median, low, high = (figure[name] / divisor for name in ("median", "low", "high"))
    if low == high:
        return number(median)
    return f"{number(median)} ({number(low)} to {number(high)})"


def markdown(rows):
    parts = []
    for case, (heading, keys, columns) in CASES.items():
        mine = [row for row in rows if row["case"] == case]
        if mine:
            parts.append(
                f"{heading}:\n\n"
                + table(
                    [key.replace("_", " ") for key in keys] + [name for _, name, _ in columns],
                    [
                        [str(row[key]) for key in keys]
                        + [cell(row.get(figure), divisor) for figure, _, divisor in columns]
                        for row in mine
                    ],
                )
            )
    return "\n".join(parts)
