# SPDX-License-Identifier: BSD-3-Clause
"""One thread of a process stands still while all others run (ptrace(2))."""
import contextlib
import ctypes
import os
import pathlib

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000  # __WALL of waitpid(2): threads as well.


def ptrace(request, thread):
    if LIBC.ptrace(request, thread, None, None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def threads_named(process, begin):
    """Ids of the threads whose names begin so."""
    tasks = pathlib.Path(f"/proc/{process}/task").iterdir()
    # Names are bytes: gRPC may name a thread by memory that it has freed.
    return [int(t.name) for t in tasks if (t / "comm").read_bytes().startswith(begin.encode())]


@contextlib.contextmanager
def stopped(thread):
    """The thread alone does not run. Who wants what it has locked waits for it meanwhile. One
    thread of this program enters and leaves the block."""
    ptrace(PTRACE_SEIZE, thread)
    try:
        ptrace(PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WALL)
        yield
    finally:
        ptrace(PTRACE_DETACH, thread)
