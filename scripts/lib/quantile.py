# SPDX-License-Identifier: BSD-3-Clause
"""Quantiles of samples, and of the histograms of the API (drip/v1/bucket.proto)."""

FIRST_BIT = 6  # counts[i] counts the spans of [2^(i+6), 2^(i+7)) ns.


def of_sorted(samples, fraction):
    """The sample nearest to the rank `fraction` of sorted samples; 0 if there is none."""
    return samples[round(fraction * (len(samples) - 1))] if samples else 0


def counts_between(before, after):
    """Counts by bin that a histogram gained between two readings."""
    later = [int(count) for count in after.get("counts", [])]
    earlier = [int(count) for count in before.get("counts", [])] or [0] * len(later)
    return [a - b for a, b in zip(later, earlier)]


def of_counts(counts, fraction):
    """The quantile in ns of counts by bin, by linear interpolation within its bin; 0 if all are
    0."""
    wanted, below = fraction * sum(counts), 0
    for i, here in enumerate(counts):
        if here and below + here >= wanted:
            low = 2 ** (i + FIRST_BIT) if i else 0
            return low + (2 ** (i + FIRST_BIT + 1) - low) * max(0.0, wanted - below) / here
        below += here
    return 0
