#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Shapes the traffic of real programs with dripd and measures the rates at the receiver."""
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
import in_process_link
import measuring
import namespace_link
import quantile
from daemon import Daemon
from measuring import say
from meter import least_rate, now, slope
from plot import draw_rates, draw_uplink
from rates import format_rate, parse_rate
from report import Row, print_table
from stopping import unwind_when_stopped
from uplink import Uplink

TOLERANCE = 0.01
HALF_SECONDS = 4.0


def show_progress(meter, begin, end):
    """Samples until the end and prints the received rate every two seconds."""
    while (from_here := now()) < end:
        meter.sample_until(min(from_here + 2, end))
        inside = [sample for sample in meter.received if sample[0] >= from_here]
        if len(inside) > 2:
            rate = format_rate(8 * slope(meter.received, from_here, end))
            print(f"   {now() - begin:4.1f} s: {rate} received", flush=True)


def shaped_phase(link, daemon, flow, rate_bps):
    """Sends at rate, then at half of it; returns a table row for each half, and plot series."""
    bucket = flow.bucket
    daemon.ctl("bucket", "set", bucket, "--rate", f"{rate_bps:.0f}bit")
    begin = now()
    flow.start()
    with daemon.meter(bucket, flow.received_bytes, flow.offered_bytes) as meter:
        show_progress(meter, begin, begin + 0.5 + HALF_SECONDS)
        change = now()
        first = daemon.bucket(bucket)
        daemon.ctl("bucket", "set", bucket, "--rate", f"{rate_bps / 2:.0f}bit")
        changed = (
            now()
        )  # It is applied when the call returns, which may take long on a busy machine.
        show_progress(meter, begin, changed + HALF_SECONDS)
        end = now()
        second = daemon.bucket(bucket)
    flow.finish()
    rows = []
    for asked, start, stop, before, after in (
        (rate_bps, begin + 1.2, change, None, first),
        (rate_bps / 2, changed + 0.3, end, first, second),
    ):
        rejected = {
            name: int(after.get(name, 0)) - int((before or {}).get(name, 0))
            for name in (
                "rejected_full",
                "rejected_full_bytes",
                "rejected_draining",
                "rejected_too_long",
                "rejected_wait_too_long",
            )
        }
        sojourn = quantile.counts_between((before or {}).get("sojourn", {}), after["sojourn"])
        rows.append(
            Row(
                flow.label,
                asked,
                8 * slope(meter.sent, start, stop),
                8 * slope(meter.received, start, stop),
                8 * slope(meter.offered, start, stop) if meter.offered else None,
                8 * least_rate(meter.offered, start, stop),
                rejected,
                quantile.of_counts(sojourn, 0.5),
                quantile.of_counts(sojourn, 0.99),
                flow.must_be_exact,
            )
        )
    return rows, meter, (begin, changed)


def write_samples(path, series):
    """Writes the samples behind the rates: byte counters over seconds since the flow began."""
    flows = {}
    for label, meter, (begin, change) in series:
        flows[label] = {"change": change - begin}
        for name in ("offered", "sent", "received"):
            flows[label][name] = [[t - begin, value] for t, value in getattr(meter, name)]
    path.write_text(json.dumps(flows))


def main():
    unwind_when_stopped()
    parser = measuring.parser(__doc__)
    parser.add_argument("--rate", default="100mbit")
    parser.add_argument("--in-process", action="store_true")
    arguments = parser.parse_args()
    rate_bps = parse_rate(arguments.rate)
    out = pathlib.Path(arguments.out)
    out.mkdir(parents=True, exist_ok=True)

    in_process = arguments.in_process
    if not in_process:
        reason = namespace_link.cannot() or namespace_link.no_hugepages()
        if reason:
            say(f"{reason}: the same job runs inside dripd, on DPDK's virtual devices")
            in_process = True
    module = in_process_link if in_process else namespace_link

    rows, series = [], []
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch, module.Link(
        pathlib.Path(scratch), rate_bps
    ) as link:
        say(f"{link.description}, starting dripd")
        with Daemon(pathlib.Path(arguments.build), link, out / "dripd.log") as daemon:
            link.attach(daemon)
            for flow in link.flows():
                say(f"{flow.label}: {format_rate(rate_bps)}, then {format_rate(rate_bps / 2)} live")
                phase_rows, meter, marks = shaped_phase(link, daemon, flow, rate_bps)
                rows += phase_rows
                series.append((flow.label, meter, marks))
            notes = link.notes(daemon)
            uplink = None
            if not in_process:
                uplink = Uplink(link, daemon, rate_bps)
                say(f"two customers below one uplink of {format_rate(rate_bps)}")
                uplink.run()
                notes += uplink.notes()
            balance = daemon.balance()
    print_table(rows, notes, balance)
    write_samples(out / "samples.json", series)
    plot = out / "rates.svg"
    draw_rates(plot, series, rate_bps)
    say(f"plot: {plot}")
    if uplink is not None:
        draw_uplink(out / "uplink.svg", uplink)
        say(f"plot: {out / 'uplink.svg'}")

    failed = False
    for row in rows:
        if row.must_be_exact and abs(row.received_bps / row.asked_bps - 1) > TOLERANCE:
            print(
                f"FAILED: {row.label}: {format_rate(row.received_bps)} received, "
                f"{format_rate(row.asked_bps)} asked",
                file=sys.stderr,
            )
            if row.least_offered_bps < row.asked_bps:
                print(
                    "        The machine was busy: the sender offered as little as "
                    f"{format_rate(row.least_offered_bps)} for a while.",
                    file=sys.stderr,
                )
            failed = True
    for fault in uplink.faults() if uplink is not None else ():
        print(f"FAILED: {fault}", file=sys.stderr)
        failed = True
    if not balance.holds:
        print(f"FAILED: {balance.text}", file=sys.stderr)
        failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
