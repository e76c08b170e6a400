# SPDX-License-Identifier: BSD-3-Clause
"""What lies between two readings of a histogram of the API (drip/v1/bucket.proto)."""

FIRST_BIT = 6  # counts[i] counts the spans of [2^(i+6), 2^(i+7)) ns.


def difference(after, before):
    """Counts by bin of what came between."""
    later = [int(count) for count in after.get("counts", [])]
    earlier = [int(count) for count in before.get("counts", [])] or [0] * len(later)
    return [a - b for a, b in zip(later, earlier)]


def quantile_ns(counts, fraction):
    """The span below which so many lie, by linear interpolation within its bin; 0 if there is none."""
    wanted, below = fraction * sum(counts), 0
    for i, here in enumerate(counts):
        if here and below + here >= wanted:
            low = 2 ** (i + FIRST_BIT) if i else 0
            return low + (2 ** (i + FIRST_BIT + 1) - low) * max(0.0, wanted - below) / here
        below += here
    return 0
