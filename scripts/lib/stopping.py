# SPDX-License-Identifier: BSD-3-Clause
"""A program that is told to stop cleans up first."""
import signal
import sys

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def unwind_when_stopped():
    """The first of these signals ends the program as an exception does, so that it cleans up; those
    that follow find it doing so already."""

    def stop(number, _):
        for each in STOPS:
            signal.signal(each, signal.SIG_IGN)
        print(f"{signal.strsignal(number)}: cleaning up", file=sys.stderr, flush=True)
        sys.exit(128 + number)

    for number in STOPS:
        signal.signal(number, stop)
