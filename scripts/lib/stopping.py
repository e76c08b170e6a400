# SPDX-License-Identifier: BSD-3-Clause
"""Clean-up before a program is ended by a signal."""
import signal
import sys

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def unwind_when_stopped():
    """Makes the first of these signals end the program by an exception, so that context managers
    clean up. Further ones are ignored meanwhile."""

    def stop(number, _):
        for each in STOPS:
            signal.signal(each, signal.SIG_IGN)
        print(f"{signal.strsignal(number)}: cleaning up", file=sys.stderr, flush=True)
        sys.exit(128 + number)

    for number in STOPS:
        signal.signal(number, stop)
