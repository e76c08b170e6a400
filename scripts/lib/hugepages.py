# SPDX-License-Identifier: BSD-3-Clause
"""Hugepages of the default size, reserved for a limited time."""
import contextlib
import pathlib

NR_HUGEPAGES = pathlib.Path("/proc/sys/vm/nr_hugepages")


@contextlib.contextmanager
def reserved(count):
    """Reserves `count` more until the end of the block and yields how many the kernel had, which
    may be fewer. OSError without the right to do so."""
    before = int(NR_HUGEPAGES.read_text())
    NR_HUGEPAGES.write_text(str(before + count))
    try:
        yield int(NR_HUGEPAGES.read_text()) - before
    finally:
        NR_HUGEPAGES.write_text(str(before))
