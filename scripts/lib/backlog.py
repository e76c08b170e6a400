# SPDX-License-Identifier: BSD-3-Clause
"""How many packets the bucket of the exact flow holds."""


def backlog(rate_bps):
    """A rate is only kept while the bucket is not empty: so what it holds lasts for longer than a
    busy machine keeps dripd or the sender from its CPU, 50 ms where memory allows, else 10 ms."""
    packets = lambda seconds: int(rate_bps * seconds / 8 / 1514)
    return max(20, packets(0.010), min(packets(0.050), 1000))
