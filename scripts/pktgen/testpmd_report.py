#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tables of testpmd.sh's figures: testpmd_report.py TESTPMD.JSON prints the Markdown."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "lib"))
import machine
from markdown import table


def drops_text(drops):
    return ", ".join(f"{reason} {count}" for reason, count in drops.items()) or "none"


def rate_table(rows):
    return table(
        [
            "case",
            "sent Mpps",
            "received Mpps",
            "received Gbit/s",
            "not taken by the queue",
            "dropped by dripd",
        ],
        [
            [
                row["case"],
                f"{row['tx_pps'] / 1e6:.2f}",
                f"{row['rx_pps'] / 1e6:.2f}",
                f"{row.get('rx_bps', row['rx_pps'] * row['frame_bytes'] * 8) / 1e9:.2f}",
                str(row["unsent"]),
                drops_text(row["drops"]) if "drops" in row else "-",
            ]
            for row in rows
        ],
    )


def search_table(search):
    return table(
        ["trial", "offered Mpps", "lost", "at the tester's queue", "in dripd", "verdict"],
        [
            [
                str(i + 1),
                f"{one['offered_pps'] / 1e6:.3f}",
                f"{100 * one['loss']:.4f} %",
                str(one["unsent"]),
                drops_text(one["drops"]),
                "good" if one["good"] else "too much",
            ]
            for i, one in enumerate(search["trials"])
        ],
    )


def shaper_table(rows):
    return table(
        [
            "asked",
            "traffic",
            "received Mbit/s",
            "off by",
            "wait of a full bucket",
            "sojourn p50",
            "p99",
            "lateness p99",
        ],
        [
            [
                f"{row['rate_bps'] / 1e6:.0f} Mbit/s",
                row["traffic"],
                f"{row['received_bps'] / 1e6:.2f}",
                f"{100 * (row['received_bps'] / row['rate_bps'] - 1):+.3f} %",
                f"{row['ideal_wait_ns'] / 1e6:.2f} ms",
                f"{row['sojourn']['p50_ns'] / 1e6:.2f} ms",
                f"{row['sojourn']['p99_ns'] / 1e6:.2f} ms",
                f"{row['lateness']['p99_ns'] / 1e3:.2f} us",
            ]
            for row in rows
        ],
    )


def burst_table(rows):
    return table(
        ["capacity", "burst", "received", "dropped by dripd"],
        [
            [
                str(row["capacity"]),
                str(row["burst"]),
                str(row["received"]),
                drops_text(row["drops"]),
            ]
            for row in rows
        ],
    )


def markdown(result):
    failed = [check["what"] for check in result["checks"] if not check["holds"]]
    searches = "\n".join(
        f"RFC 2544 throughput, {name}: **{search['throughput_pps'] / 1e6:.3f} Mpps**.\n\n"
        f"{search_table(search)}"
        for name, search in result["searches"].items()
    )
    return f"""### dpdk-testpmd over vhost-user

{machine.head(result)}{" A quick run: too short to be quoted." if result["quick"] else ""}

One dpdk-testpmd on core 0 sends and, where the case says so, also receives; dripd polls on core 1.
The first two lines have another dpdk-testpmd in dripd's place that only forwards: the limit of the
tester. "Not taken by the queue": packets that found the vhost-user queue full and that the tester,
which does not wait, dropped.

{rate_table(result["rows"])}
{searches}
RFC 7640 section 6.3, rate and delay under overload; the wait of a packet that found the bucket full
but for its own place is capacity x frame / rate:

{shaper_table(result["shaper"])}
RFC 7640 section 6.3, bursts at link speed into an empty bucket of 1,000 packets a second:

{burst_table(result["bursts"])}
Counts: {len(result['checks'])} checks (sent = dripd rx; rx = tx + drops by reason + waiting; tx =
received), {f"FAILED: {'; '.join(failed)}" if failed else "all hold"}.
"""


if __name__ == "__main__":
    print(markdown(json.loads(pathlib.Path(sys.argv[1]).read_text())), end="")
