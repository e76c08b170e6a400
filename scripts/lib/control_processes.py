# SPDX-License-Identifier: BSD-3-Clause
"""The control processes of a dripd with --control-process separate."""
import contextlib
import pathlib


def control_processes(pid):
    """Of all that have come from the process."""
    found = set()
    for tasks in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, tasks.read_text().split()):
                found |= control_processes(child)
                name = pathlib.Path(f"/proc/{child}/comm").read_bytes().strip()
                found |= {child} if name == b"dripd-control" else set()
    return found
