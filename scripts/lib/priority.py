# SPDX-License-Identifier: BSD-3-Clause
"""Who has the CPUs, on a machine that does other things as well."""
import os
import pathlib


def go_first():
    """Before whatever else the machine does. A wish, which counts for the whole session (sched(7),
    "The autogroup feature"): so only in one of the test's own, as meson gives it."""
    if os.getsid(0) != os.getpid():
        return
    try:
        pathlib.Path("/proc/self/autogroup").write_text("-20")
    except OSError:
        pass
