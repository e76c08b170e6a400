#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The kernel's network processing has the nice of the thread that polls on its CPU, until dripd
ends."""
import os
import pathlib

import stage
from stage import check

POLLING_NICE = -20


def thread_of(cpu):
    """The kernel's thread; None where /proc does not show it."""
    for directory in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (directory / "comm").read_text().strip() == f"ksoftirqd/{cpu}":
                return int(directory.name)
        except OSError:
            continue
    return None


def nice_of(thread):
    return os.getpriority(os.PRIO_PROCESS, thread)


def test(build, kind):
    before = {cpu: nice_of(thread_of(cpu) or 0) for cpu in os.sched_getaffinity(0)}
    with stage.raised(build, kind) as (_, daemon):
        (lcore,) = daemon.ctl("lcore", "list")["lcores"]
        tasks = pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir()
        (polling,) = (
            int(task.name)
            for task in tasks
            if (task / "comm").read_text().strip() == f"drip-lcore-{lcore['index']}"
        )
        thread = thread_of(lcore["cpu"])
        if thread is None:
            stage.skip("/proc does not show the kernel's threads")
        if nice_of(polling) != POLLING_NICE:
            stage.skip("CAP_SYS_NICE is needed")
        check(nice_of(thread) == POLLING_NICE, f"ksoftirqd has nice {nice_of(thread)}")
    after = nice_of(thread)
    check(after == before[lcore["cpu"]], f"ksoftirqd has nice {after} after the end")


if __name__ == "__main__":
    stage.run(test)
