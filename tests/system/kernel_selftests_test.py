#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What Linux' selftests ask of ETS and TBF, asked of Drip: their settings, orders of changes and
verdicts (tools/testing/selftests/net/forwarding/sch_ets_tests.sh and sch_tbf_core.sh), at lower
rates. A strict band is a priority, a quantum a weight."""
import time

import stage
from packet_socket import PacketSocket
from stage import check
from udp_load import UdpLoad, shares

RATE = 5_000_000  # 1 Gbit/s there.
PORTS = (7000, 7001, 7002)
SECONDS = 2.0
STRICT = 0


def ets(link, daemon, right, bands, streams):
    """Bands that are STRICT come first, in their order; the others share by their quantum."""
    for band, quantum in enumerate(bands):
        share = ("--priority", str(7 - band)) if quantum == STRICT else ("--priority", "0")
        daemon.ctl("bucket", "set", f"band{band}", *share, "--weight", str(max(quantum // 10, 1)))
    with UdpLoad(link, [PORTS[stream] for stream in streams], len(streams) * 1.5 * RATE):
        time.sleep(0.5)
        got = shares(right, [PORTS[stream] for stream in streams], SECONDS)
    rates = [got[PORTS[stream]] for stream in streams]
    text = ", ".join(f"{stream}: {rate / 1e6:.3f}" for stream, rate in zip(streams, rates))
    print(f"bands {bands}, streams {text} Mbit/s")
    first = streams[0]
    if bands[first] == STRICT:
        # More than 95 % for the first strict band, less than 5 % for those behind it.
        check(rates[0] > 0.95 * sum(rates), f"band {first} got {rates[0]}")
        for rate in rates[1:]:
            check(rate < 0.05 * sum(rates), f"a band behind it got {rate}")
        return
    for stream, rate in zip(streams[1:], rates[1:]):
        # multipath_eval() of lib.sh: the ratio within 15 %.
        wanted, measured = bands[stream] / bands[first], rate / rates[0]
        check(
            abs(measured - wanted) <= 0.15 * wanted, f"{first}:{stream}: {measured}, not {wanted}"
        )


def test_ets(link, daemon, right):
    daemon.ctl("bucket", "set", "ets", "--inner", "--rate", f"{RATE}bit")
    for band, port in enumerate(PORTS):
        name = f"band{band}"
        daemon.ctl(
            *("bucket", "set", name, "--parent", "ets", "--rate", f"{RATE}bit"),
            *("--capacity", "50"),
        )
        daemon.ctl("rule", "add", name, "--proto", "udp", "--dport", str(port), "--bucket", name)
    run = lambda bands, *streams: ets(link, daemon, right, bands, streams)
    strict = (STRICT, STRICT, STRICT)
    run(strict, 0, 1)
    run(strict, 1, 2)
    mixed = (STRICT, 5000, 2500)
    run(mixed, 0, 1)
    run(mixed, 1, 2)
    run((3300, 3300, 3300), 0, 1, 2)
    run((5000, 3500, 1500), 0, 1, 2)
    run((5000, 8000, 1500), 0, 1, 2)
    run((5000, 2500, 1500), 0, 1)
    for band in range(len(PORTS)):
        daemon.ctl("rule", "delete", f"band{band}")
    daemon.ctl("bucket", "delete", "ets", "--recursive", "--drop")


def test_tbf(link, daemon, right):
    for mbit, port in ((4, PORTS[0]), (3, PORTS[1])):
        daemon.ctl("bucket", "set", "tbf", "--rate", f"{mbit}mbit", "--capacity", "50")
        daemon.ctl("rule", "default", "tbf")
        with UdpLoad(link, [port], 2 * RATE):
            time.sleep(0.5)
            (rate,) = shares(right, [port], SECONDS).values()
        print(f"tbf {mbit} Mbit/s: {rate / 1e6:.3f} Mbit/s")
        check(abs(rate / (1e6 * mbit) - 1) <= 0.05, f"{rate} bit/s instead of {mbit} Mbit/s")


def test(build, kind):
    with stage.raised(build, kind) as (link, daemon):
        with PacketSocket(link.right) as right:
            test_ets(link, daemon, right)
            test_tbf(link, daemon, right)


if __name__ == "__main__":
    stage.run(test)
