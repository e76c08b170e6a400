# SPDX-License-Identifier: BSD-3-Clause
"""Capacity of the bucket whose rate is checked, in packets."""


def backlog(rate_bps):
    """Enough that the bucket does not run empty while a busy machine delays dripd or the sender,
    because only then the rate is held: 50 ms of packets where memory allows it, else 10 ms."""
    packets = lambda seconds: int(rate_bps * seconds / 8 / 1514)
    return max(20, packets(0.010), min(packets(0.050), 1000))
