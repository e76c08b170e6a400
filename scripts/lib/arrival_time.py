# SPDX-License-Identifier: BSD-3-Clause
"""When a packet came, by the kernel's clock (SO_TIMESTAMPNS)."""
import socket
import struct

SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("=qq")


def ask_for(each):
    """From now on `each`, a socket, tells the time of each packet beside it: see of()."""
    each.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def of(control):
    """In s since the epoch, of what recvmsg() gave beside a packet; OSError if it says none."""
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = TIMESPEC.unpack(data)
            return seconds + nanoseconds / 1e9
    raise OSError("a packet without a time stamp")
