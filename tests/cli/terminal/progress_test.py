#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""dripctl's progress line, with a real dripd that is held up: there after a second and gone at the
end on a terminal, and nowhere else. DRIPCTL DRIPD"""
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time

from screen import PATIENCE, start_dripd

FRAMES = 3000


class OnTerminal:
    """A dripctl whose standard error is a terminal of 80 columns."""

    def __init__(self, command, term="xterm"):
        self.terminal, end = pty.openpty()
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=end, env={**os.environ, "TERM": term}
        )
        os.close(end)
        self.written = b""

    def read(self, seconds):
        """What has been written to the terminal, after so many seconds at the most."""
        if select.select([self.terminal], [], [], seconds)[0]:
            try:
                self.written += os.read(self.terminal, 65536)
            except OSError:  # The other end is closed.
                time.sleep(0.05)
        return self.written

    def wait_for(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.read(0.2):
            assert time.monotonic() < deadline, f"{text} not in {self.written}"
            assert self.process.poll() is None, f"ended: {self.written}"

    def end(self):
        """The exit code, with standard output and all of the terminal's text."""
        out = self.process.communicate(timeout=PATIENCE)[0]
        while self.read(0) != self.read(0.1):
            pass
        os.close(self.terminal)
        return self.process.returncode, out, self.written


def capture_file(path):
    frame = bytes.fromhex("0200000000020200000000010806") + bytes(46)
    record = struct.pack("=IIII", 1, 0, len(frame), len(frame)) + frame
    header = struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(header + FRAMES * record)


def stopped(process, run):
    process.send_signal(signal.SIGSTOP)
    try:
        return run()
    finally:
        process.send_signal(signal.SIGCONT)


def test(dripctl, dripd, scratch):
    process, listen = start_dripd(dripd, dripctl, scratch)
    try:
        base = [dripctl, "--server", listen, "--timeout", f"{PATIENCE}s"]
        set_bucket = [*base, "bucket", "set", "b", "--rate", "10/s", "--capacity", "5"]

        # A single call, that nobody knows the length of.
        def held():
            shown = OnTerminal(set_bucket)
            shown.wait_for(b"dripd works on it, 2 s")
            return shown

        code, out, written = stopped(process, held).end()
        assert code == 0 and out.startswith(b"bucket b created"), (code, out)
        assert written.startswith(b"\r\x1b[Kdripd works on it, 1 s"), written
        assert written.endswith(b"\r\x1b[K"), f"the line is left behind: {written}"

        # What is done one by one.
        capture_file(scratch / "x.pcap")
        explain = [*base, "explain", str(scratch / "x.pcap"), "--count", str(FRAMES)]

        def counted():
            shown = OnTerminal(explain)
            shown.wait_for(f"of {FRAMES}, 1 s".encode())
            return shown

        code, out, written = stopped(process, counted).end()
        assert code == 0 and len(out.splitlines()) == FRAMES + 1, out[-200:]
        assert b"frames [" in written and written.endswith(b"\r\x1b[K"), written

        # A quick call, a terminal that cannot, and no terminal: nothing.
        assert OnTerminal([*base, "node", "show"]).end()[2] == b""

        def for_two_seconds(start):
            def run():
                started = start()
                time.sleep(2.5)
                return started

            return stopped(process, run)

        code, _, written = for_two_seconds(lambda: OnTerminal(set_bucket, term="dumb")).end()
        assert code == 0 and written == b"", written
        piped = for_two_seconds(
            lambda: subprocess.Popen(set_bucket, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        )
        _, err = piped.communicate(timeout=PATIENCE)
        assert piped.returncode == 0 and err == b"", err

        # An error stands on a line of its own.
        def failing():
            shown = OnTerminal([*base[:3], "--timeout", "2500ms", "node", "show"])
            shown.wait_for(b"dripd works on it")
            return shown.end()

        code, _, written = stopped(process, failing)
        assert code != 0 and b"\r\x1b[Kdripctl: DEADLINE_EXCEEDED" in written, written
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="drip-") as directory:
        test(*sys.argv[1:3], pathlib.Path(directory))
    print("passed")
