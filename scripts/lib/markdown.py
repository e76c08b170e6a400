# SPDX-License-Identifier: BSD-3-Clause
"""Markdown for the reports."""


def table(header, lines):
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"
