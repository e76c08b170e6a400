# SPDX-License-Identifier: BSD-3-Clause
"""Bit rates in the notation of tc."""
import re
import sys

UNITS = {"bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}


def parse_rate(text):
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)(k|m|g)?bit", text.lower())
    rate = float(match.group(1)) * UNITS[(match.group(2) or "") + "bit"] if match else 0
    if not 1e6 <= rate <= 1e10:
        sys.exit(f"rate '{text}' is not one from 1mbit to 10gbit")
    return rate


def format_rate(bps):
    for unit in ("gbit", "mbit", "kbit"):
        if bps >= UNITS[unit]:
            return f"{bps / UNITS[unit]:.4g} {unit}/s"
    return f"{bps:.4g} bit/s"
