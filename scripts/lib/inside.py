# SPDX-License-Identifier: BSD-3-Clause
"""Sockets in another network namespace: a socket stays in the one in which it was made."""
import contextlib
import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)


def enter(namespace_fd):
    if LIBC.setns(namespace_fd, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(host):
    """This thread is in the host's namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    away = os.open(f"/run/netns/{host.name}", os.O_RDONLY)
    try:
        enter(away)
        try:
            yield
        finally:
            enter(home)
    finally:
        os.close(home)
        os.close(away)
