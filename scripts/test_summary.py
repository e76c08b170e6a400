#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Summarizes a test run: counts by suite, what failed, what was skipped and why.

    test_summary.py BUILD/meson-logs/testlog.json

A test program skips itself with exit code 77 and says why in its last line; a googletest case does
with GTEST_SKIP() << reason.
"""

import collections
import json
import pathlib
import re
import sys

GOOD = {"OK", "EXPECTEDFAIL"}
GTEST_SKIP = re.compile(r": Skipped\n(?P<reason>.*?)\n?\[  SKIPPED \] (?P<case>\S+)", re.DOTALL)


def main() -> int:
    log = pathlib.Path(sys.argv[1])
    if not log.exists():
        print(f"No test ran: there is no {log}.")
        return 1
    counts = collections.defaultdict(collections.Counter)
    skipped = []
    failed = []
    for line in log.read_text().splitlines():
        test = json.loads(line)
        # "project:suite+suite / name"; the first suite counts.
        suites, _, name = test["name"].rpartition(" / ")
        suite = suites.partition(":")[2].partition("+")[0] or "(none)"
        output = test.get("stdout", "") or ""
        if test["result"] == "SKIP":
            kind = "skipped"
            words = [text.strip() for text in output.splitlines() if text.strip()]
            skipped.append((name, words[-1] if words else "it does not say why"))
        elif test["result"] in GOOD:
            kind = "passed"
        else:
            kind = "failed"
            failed.append((name, test["result"]))
        counts[suite][kind] += 1
        for skip in GTEST_SKIP.finditer(output):
            reason = " ".join(skip["reason"].split()) or "it does not say why"
            skipped.append((f"{name}: {skip['case']}", reason))
    if not counts:
        print("No test ran.")
        return 1

    print("\nSummary")
    for suite, of_suite in sorted(counts.items()):
        figures = ", ".join(f"{number} {kind}" for kind, number in sorted(of_suite.items()))
        print(f"  {suite:12} {figures}")
    for name, reason in skipped:
        print(f"  SKIPPED {name}: {reason}")
    for name, result in failed:
        print(f"  FAILED  {name} ({result.lower()})")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
