# SPDX-License-Identifier: BSD-3-Clause
"""A fresh Debian 12 by debootstrap, from the mirror that this machine's apt uses, that boots systemd
in a container of systemd-nspawn. It shares this machine's network."""
import os
import pathlib
import re
import signal
import subprocess
import time

SUITE = "bookworm"
SUITES = rf"^Suites:(.* )?{SUITE}( |$)"  # Of deb822's form.


class Failure(Exception):
    """What the test found wrong."""


def check(holds, what):
    if not holds:
        raise Failure(what)


def wait_until(holds, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        check(time.monotonic() < deadline, f"not within {seconds} s: {what}")
        time.sleep(0.2)


def apt_sources():
    """(the first URI of the suite, the text of the files that name it), of this machine."""
    uri, texts = None, []
    for path in [
        pathlib.Path("/etc/apt/sources.list"),
        *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*")),
    ]:
        text = path.read_text() if path.is_file() else ""
        if path.suffix == ".sources":
            blocks = [one for one in text.split("\n\n") if re.search(SUITES, one, re.MULTILINE)]
            found = [re.search(r"^URIs: *(\S+)", one, re.MULTILINE)[1] for one in blocks]
        else:
            found = re.findall(rf"^deb (?:\[.*?\] )?(\S+) {SUITE} ", text, re.MULTILINE)
        if found:
            uri = uri or found[0]
            texts.append((path.name, text))
    check(uri, f"apt of this machine has no source of {SUITE}")
    return uri, texts


def bootstrap(root):
    """Fills the directory with a minimal Debian that has systemd."""
    uri, texts = apt_sources()
    subprocess.run(
        ["debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,iproute2,openssl",
         SUITE, root, uri],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for name, text in texts:
        (root / "etc/apt/sources.list.d" / name).write_text(text)
    # As Debian's installer writes it.
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    settings = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout
    proxies = re.findall(r"^Acquire::https?::Proxy.*$", settings, re.MULTILINE)
    (root / "etc/apt/apt.conf.d/90drip-test").write_text(
        "\n".join(
            [
                *proxies,
                'APT::Install-Recommends "false";',
                # Dpkg keeps a changed configuration file without a question.
                'Dpkg::Options { "--force-confold"; };',
            ]
        )
        + "\n"
    )


class Booted:
    """The system runs until the end of the with block."""

    def __init__(self, root, packages, log):
        self.root, self.packages, self.log = root, packages, log

    def __enter__(self):
        # Where systemd does not run on this machine nobody has mounted the control groups by which it
        # knows its services; in a mount namespace of our own, so that nothing of it stays.
        script = (
            "if [ -d /sys/fs/cgroup/cpu ] && ! mountpoint -q /sys/fs/cgroup/systemd; then"
            "  mkdir -p /sys/fs/cgroup/systemd &&"
            "  mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd; fi;"
            ' exec systemd-nspawn --quiet --register=no --keep-unit --boot --directory "$0"'
            "  --capability=all --system-call-filter='bpf perf_event_open'"
            '  --bind-ro="$1:/packages" --resolv-conf=copy-host --link-journal=no'
        )
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script, self.root, self.packages],
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until(lambda: self.leader() is not None, "systemd is started")
            wait_until(
                lambda: self.run("systemctl is-system-running", may_fail=True).stdout.strip()
                in ("running", "degraded"),
                "the system is up",
                120,
            )
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)  # nspawn powers the system off.
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def leader(self):
        """The process that is number 1 inside."""
        check(self.process.poll() is None, f"nspawn ended: {self.log.read_text()[-2000:]}")
        for child in children(self.process.pid):
            comm = pathlib.Path(f"/proc/{child}/comm")
            if comm.exists() and comm.read_text().strip() == "systemd":
                return child
        return None

    def run(self, script, may_fail=False, user=None):
        """A shell script inside; its output."""
        command = ["nsenter", "--target", str(self.leader()), "--all", "--root", "--wd"]
        command += ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"]
        command += ["HOME=/root", "DEBIAN_FRONTEND=noninteractive"]
        if user:
            command += ["runuser", "-u", user, "--"]
        done = subprocess.run(
            [*command, "sh", "-euc", script],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=900,
        )
        if done.returncode != 0 and not may_fail:
            raise Failure(
                f"{script}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        return done


def children(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(child) for child in text.split()]


def require(*programs):
    """Skips where this cannot run."""
    missing = [
        name
        for name in programs
        if subprocess.run(["which", name], capture_output=True).returncode != 0
    ]
    if os.geteuid() != 0 or missing:
        print(f"not root, or without {missing}")
        raise SystemExit(77)
