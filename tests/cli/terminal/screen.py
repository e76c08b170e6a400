# SPDX-License-Identifier: BSD-3-Clause
"""A real terminal (tmux) and a real dripd, for tests of what dripctl shows."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

PATIENCE = 60


def until(condition, what):
    """Waits for condition() and returns its value."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    sys.exit(f"not within {PATIENCE} s: {what() if callable(what) else what}")


def is_running(pid):
    try:
        status = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    # The state comes after the name in parentheses; nobody may wait for a zombie of pid 1.
    return status.rpartition(")")[2].split()[0] != "Z"


class Screen:
    """A terminal with a shell in it."""

    def __init__(self, scratch):
        self.socket = str(scratch / "tmux")
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.environment = {**environment, "PS1": "$ ", "HOME": str(scratch)}
        shell = ["bash", "--norc", "--noprofile"]
        self.tmux("new-session", "-d", "-x", "120", "-y", "30", *shell)
        self.processes = self.tmux("display-message", "-p", "#{pid} #{pane_pid}").split()

    def tmux(self, *words):
        command = ["tmux", "-u", "-f", "/dev/null", "-S", self.socket, *words]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=self.environment
        ).stdout

    def text(self):
        return self.tmux("capture-pane", "-p")

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def see(self, text):
        """Waits until the screen has a match of the regular expression, and returns the screen."""

        def seen():
            screen = self.text()
            return screen if re.search(text, screen) else None

        return until(seen, lambda: f"{text!r} on the screen:\n{self.text()}")

    def state(self):
        form = "#{alternate_on} #{cursor_flag} #{keypad_cursor_flag} #{mouse_any_flag}"
        return self.tmux("display-message", "-p", form).strip()

    def close(self):
        """Ends the server and waits for it and the shell, which writes its history at its end."""
        self.tmux("kill-server")
        until(lambda: not any(map(is_running, self.processes)), "tmux and its shell end")


def skip_without_tmux():
    if shutil.which("tmux") is None:
        print("tmux is not installed")
        sys.exit(77)


def start_dripd(dripd, dripctl, scratch, *flags):
    """The process, which serves, and its address, a socket in `scratch`."""
    listen = f"unix:{scratch}/dripd.sock"
    cpu = str(min(os.sched_getaffinity(0)))
    process = subprocess.Popen(
        [dripd, "--listen", listen, "--cpus", cpu, "--idle", "sleep", *flags],
        stderr=subprocess.DEVNULL,
    )
    show = [dripctl, "--server", listen, "node", "show"]
    until(
        lambda: process.poll() is not None
        or subprocess.run(show, capture_output=True, check=False).returncode == 0,
        "dripd serves",
    )
    assert process.poll() is None, "dripd has ended"
    return process, listen
