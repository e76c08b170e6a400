# SPDX-License-Identifier: BSD-3-Clause
"""How figures of the pages are written."""


def text(value):
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}" if abs(value) >= 0.01 else f"{value:.1g}"


def middle(figure):
    return figure["median"] if isinstance(figure, dict) else figure


def shown(figure):
    """The median with its range, or a single value."""
    if not isinstance(figure, dict):
        return text(figure)
    if figure["low"] == figure["high"]:
        return text(figure["median"])
    return f"{text(figure['median'])} ({text(figure['low'])} to {text(figure['high'])})"


def count_text(buckets):
    if buckets >= 1 << 20:
        return f"{buckets >> 20}M"
    return f"{buckets >> 10}k" if buckets >= 1024 else str(buckets)
