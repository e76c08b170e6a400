#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The main job: traffic of real programs through dripd, measured on the receiver's side."""
import argparse
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import in_process_link
import namespace_link
from daemon import Daemon
from plot import draw_rates
from rates import format_rate, parse_rate
from report import Row, print_table
from stopping import unwind_when_stopped

TOLERANCE = 0.01
HALF_SECONDS = 4.0


def say(text):
    print(f"== {text}", flush=True)


def measure(samples, begin, end):
    """Units a second over [begin, end], from running totals: the line of least squares through all
    samples, since each is read some milliseconds off its time on a busy machine."""
    inside = [(t, value) for t, value in samples if begin <= t <= end]
    if len(inside) < 3:
        raise SystemExit(f"main_job: only {len(inside)} samples between two changes of rate")
    mean_t = sum(t for t, _ in inside) / len(inside)
    mean_v = sum(value for _, value in inside) / len(inside)
    return (sum((t - mean_t) * (value - mean_v) for t, value in inside)
            / sum((t - mean_t) ** 2 for t, _ in inside))


def shaped_phase(link, daemon, flow, rate_bps):
    """Sends at rate, then at half of it; returns a table row for each half, and plot series."""
    bucket = flow.bucket
    daemon.ctl("bucket", "set", bucket, "--rate", f"{rate_bps:.0f}bit")
    begin = time.monotonic()
    flow.start(2 * HALF_SECONDS + 1.5)
    meter = daemon.meter(bucket, flow.received_bytes, flow.offered_bytes)
    meter.sample_until(begin + 0.5 + HALF_SECONDS)
    first = daemon.bucket(bucket)
    change = time.monotonic()
    daemon.ctl("bucket", "set", bucket, "--rate", f"{rate_bps / 2:.0f}bit")
    meter.sample_until(change + HALF_SECONDS)
    second = daemon.bucket(bucket)
    end = time.monotonic()
    flow.finish()
    rows = []
    for asked, start, stop, before, after in (
            (rate_bps, begin + 1.2, change - 0.1, None, first),
            (rate_bps / 2, change + 0.5, end - 0.1, first, second)):
        rejected = {name: int(after.get(name, 0)) - int((before or {}).get(name, 0))
                    for name in ("rejected_full", "rejected_full_bytes", "rejected_draining",
                                 "rejected_too_long")}
        rows.append(Row(flow.label, asked, 8 * measure(meter.sent, start, stop),
                        8 * measure(meter.received, start, stop),
                        8 * measure(meter.offered, start, stop) if meter.offered else None,
                        rejected, after["sojourn"], flow.must_be_exact))
    return rows, meter, (begin, change)


def main():
    unwind_when_stopped()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", default="100mbit")
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", default="out")
    parser.add_argument("--in-process", action="store_true")
    arguments = parser.parse_args()
    rate_bps = parse_rate(arguments.rate)
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)

    in_process = arguments.in_process
    if not in_process:
        reason = namespace_link.cannot()
        if reason:
            say(f"{reason}: the same job runs inside dripd, on DPDK's virtual devices")
            in_process = True
    module = in_process_link if in_process else namespace_link

    rows, series = [], []
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch, \
            module.Link(pathlib.Path(scratch), rate_bps) as link:
        say(f"{link.description}")
        with Daemon(pathlib.Path(arguments.build), link, out / "dripd.log") as daemon:
            link.attach(daemon)
            for flow in link.flows():
                say(f"{flow.label}: {format_rate(rate_bps)}, then {format_rate(rate_bps / 2)} live")
                phase_rows, meter, marks = shaped_phase(link, daemon, flow, rate_bps)
                rows += phase_rows
                series.append((flow.label, meter, marks))
            notes = link.notes(daemon)
            balance = daemon.balance()
    print_table(rows, notes, balance)
    plot = out / "rates.svg"
    draw_rates(plot, series, rate_bps)
    say(f"plot: {plot}")

    failed = False
    for row in rows:
        if row.must_be_exact and abs(row.received_bps / row.asked_bps - 1) > TOLERANCE:
            print(f"FAILED: {row.label}: {format_rate(row.received_bps)} received, "
                  f"{format_rate(row.asked_bps)} asked", file=sys.stderr)
            failed = True
    if not balance.holds:
        print(f"FAILED: {balance.text}", file=sys.stderr)
        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
