# SPDX-License-Identifier: BSD-3-Clause
"""A dpdk-testpmd, controlled through its command line."""
import os
import re
import select
import shutil
import subprocess
import time

PROMPT = b"testpmd> "


def missing():
    """The reason why it cannot be run; empty if it can."""
    if shutil.which("dpdk-testpmd") is None:
        return "dpdk-testpmd is not installed (package dpdk-dev)"
    if os.geteuid() != 0:
        return "not root"
    return ""


class Testpmd:
    """A dpdk-testpmd on one CPU. stdbuf(1) makes its answers come before its next prompt also
    through a pipe. The shared memory of virtio-user must be one file, hence
    --single-file-segments."""

    def __init__(self, name, devices, cpu, *arguments, hugepages=True):
        memory = (
            ["--in-memory", "-m", "192"] if hugepages else ["--no-huge", "-m", "192", "--no-shconf"]
        )
        self.command = [
            "stdbuf",
            "-oL",
            "dpdk-testpmd",
            "--lcores",
            f"0@{cpu},1@{cpu}",
            "--no-pci",
            "--no-telemetry",
            f"--file-prefix=drip-{name}-{os.getpid()}",
            "--single-file-segments",
            *memory,
            *(part for device in devices for part in ("--vdev", device)),
            "--",
            "-i",
            "--nb-cores=1",
            "--total-num-mbufs=20000",
            "--rxd=1024",
            "--txd=1024",
            "--burst=32",
            *arguments,
        ]

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.text = b""
        try:
            self.until_prompt(60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def until_prompt(self, seconds=30):
        """Returns the output until the next prompt."""
        deadline = time.monotonic() + seconds
        while PROMPT not in self.text:
            ready, _, _ = select.select(
                [self.process.stdout], [], [], max(0, deadline - time.monotonic())
            )
            more = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not more:
                raise SystemExit(
                    f"dpdk-testpmd {'ended' if ready else 'does not answer'}: "
                    f"{' '.join(self.command)}\n{self.text.decode(errors='replace')}"
                )
            self.text += more
        said, self.text = self.text.split(PROMPT, 1)
        return said.decode(errors="replace")

    def tell(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        return self.until_prompt()

    def ports(self):
        """Counters of each port since the start, and its rates since the last call."""
        text = self.tell("show port stats all")
        ports = []
        for part in re.split(r"NIC statistics for port \d+", text)[1:]:
            find = lambda name: int(re.search(rf"{name}:\s*(\d+)", part).group(1))
            ports.append(
                {
                    "rx": find("RX-packets"),
                    "tx": find("TX-packets"),
                    "rx_pps": find("Rx-pps"),
                    "tx_pps": find("Tx-pps"),
                    "rx_bps": find("Rx-bps"),
                }
            )
        return ports

    def stop(self):
        """Stops forwarding; returns what each port could not send since the start command."""
        text = self.tell("stop")
        return {
            int(port): int(dropped)
            for port, dropped in re.findall(
                r"Forward statistics for port (\d+).*?TX-dropped:\s*(\d+)", text, re.DOTALL
            )
        }

    def __exit__(self, *_):
        if self.process.poll() is None:
            try:
                self.process.stdin.write(b"quit\n")
                self.process.stdin.flush()
                self.process.stdin.close()
                self.process.wait(5)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
