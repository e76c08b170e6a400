# SPDX-License-Identifier: BSD-3-Clause
"""A program that is told to stop cleans up first."""
import signal
import sys


def unwind_when_stopped():
    """SIGTERM and SIGHUP end the program as an exception does, as SIGINT does anyway."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _: sys.exit(128 + got))
