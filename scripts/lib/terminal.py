# SPDX-License-Identifier: BSD-3-Clause
"""Runs a program that needs a terminal, for a limited time."""
import os
import pty
import select
import signal
import subprocess
import termios
import time

STOP_SECONDS = 5  # From SIGTERM to SIGKILL.


def run(command, environment, log_path, limit_s):
    """Gives the program a terminal of its own and writes its output to the file `log_path`. Returns
    its exit status as subprocess does, negative for a signal; None if it was stopped because it
    had not ended within `limit_s` seconds. Its children in the same session end with it."""
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (50, 160))
    deadline = time.monotonic() + limit_s
    with open(log_path, "wb") as log:
        try:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        except BaseException:
            os.close(controller)
            raise
        finally:
            os.close(terminal)
        try:
            while time.monotonic() < deadline:
                if copy(controller, log, 0.2):
                    continue
                if process.poll() is not None:
                    return process.returncode
            return None
        finally:
            stop(process)
            while copy(controller, log, 0):
                pass
            os.close(controller)


def copy(source, target, wait_s):
    """Copies what can be read; False if there is nothing, or never will be."""
    ready, _, _ = select.select([source], [], [], wait_s)
    try:
        data = os.read(source, 65536) if ready else b""
    except OSError:  # Every process on the terminal has ended.
        data = b""
        time.sleep(wait_s)
    target.write(data)
    return bool(data)


def stop(process):
    """Ends the program's session. It is the leader of a process group of the same number."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
    process.wait()
