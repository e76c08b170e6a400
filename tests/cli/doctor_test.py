#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""`dripctl doctor` on captured machines: what each check finds, and the command that mends it.
DRIPCTL DRIPD"""
import json
import os
import pathlib
import pty
import signal
import subprocess
import sys
import tempfile
import time

CPU = "sys/devices/system/cpu/"
PAGES = "sys/kernel/mm/hugepages/hugepages-2048kB/"
CLOCK = "sys/devices/system/clocksource/clocksource0/"
GOOD = {
    "proc/cmdline": "BOOT_IMAGE=/vmlinuz isolcpus=2,3 nohz_full=2,3 rcu_nocbs=2,3 quiet",
    "proc/cpuinfo": "processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc avx2\n",
    "proc/self/cgroup": "0::/system.slice/drip.service",
    "proc/self/limits": "Limit  Soft  Hard\nMax locked memory         unlimited  unlimited  bytes\n",
    "proc/self/status": "Name:\tdripctl\nCapEff:\t0000000000000000\n",
    "proc/irq/24/effective_affinity_list": "0",
    "proc/irq/25/effective_affinity_list": "1",
    "proc/irq/default_smp_affinity": "f",
    "sys/fs/cgroup/cgroup.controllers": "cpu memory",
    "sys/fs/cgroup/system.slice/cpu.max": "max 100000",
    "sys/fs/cgroup/system.slice/drip.service/cpu.max": "max 100000",
    CPU + "online": "0-3",
    CPU + "isolated": "2-3",
    CPU + "nohz_full": "2-3",
    CPU + "cpu2/topology/thread_siblings_list": "2",
    CPU + "cpu3/topology/thread_siblings_list": "3",
    CPU + "cpu2/cpufreq/scaling_governor": "performance",
    CPU + "cpu3/cpufreq/scaling_governor": "performance",
    CLOCK + "current_clocksource": "tsc",
    CLOCK + "available_clocksource": "tsc hpet acpi_pm",
    "sys/devices/system/node/node0/cpulist": "0-3",
    PAGES + "nr_hugepages": "128",
    PAGES + "free_hugepages": "128",
    "ethtool/eth1": "generic-receive-offload: off\nlarge-receive-offload: off [fixed]\n",
    "sys/class/net/eth1/device/numa_node": "0",
}
TSO = """\
tcp-segmentation-offload: on
\ttx-tcp-segmentation: off
\ttx-tcp-ecn-segmentation: off
\ttx-tcp6-segmentation: {}
\ttx-tcp-accecn-segmentation: {}
generic-receive-offload: off
"""
# What differs from a good machine (None: it is not there); the check, its verdict, what it has
# found, and a part of the command.
CASES = [
    (
        {CPU + "isolated": ""},
        ("isolcpus", "warn", "no CPUs; polling CPUs 2-3 are not among them", "isolcpus=2-3 "),
    ),
    (
        {CPU + "nohz_full": "(null)"},
        ("nohz_full", "warn", "no CPUs; polling CPUs 2-3", "nohz_full=2-3 "),
    ),
    (
        {"proc/cmdline": "quiet", CPU + "nohz_full": "2"},
        ("rcu_nocbs", "warn", "CPUs 2; polling CPUs 3 are not", "rcu_nocbs=2-3 "),
    ),
    ({"proc/cmdline": "rcu_nocbs=all"}, ("rcu_nocbs", "good", "CPUs 0-3", "")),
    ({"proc/cmdline": "quiet"}, ("rcu_nocbs", "good", "CPUs 2-3", "")),
    (
        {CPU + "cpu3/topology/thread_siblings_list": "1,3"},
        (
            "SMT siblings",
            "warn",
            "CPUs 1 share",
            "echo 0 | sudo tee /sys/devices/system/cpu/cpu1/online",
        ),
    ),
    (
        {
            CPU + "cpu2/topology/thread_siblings_list": "2-3",
            CPU + "cpu3/topology/thread_siblings_list": "2-3",
        },
        ("SMT siblings", "warn", "polling CPUs 2-3 share cores", "lscpu --extended=CPU,CORE"),
    ),
    ({CPU + "cpu3/topology/thread_siblings_list": "3,7"}, ("SMT siblings", "good", "none", "")),
    (
        {CPU + "cpu3/cpufreq/scaling_governor": "powersave"},
        (
            "frequency governor",
            "warn",
            "powersave on CPUs 3",
            "echo performance | sudo tee /sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
        ),
    ),
    (
        {
            CPU + "cpu2/cpufreq/scaling_governor": None,
            CPU + "cpu3/cpufreq/scaling_governor": None,
        },
        ("frequency governor", "unknown", "no cpufreq", ""),
    ),
    (
        {"proc/irq/25/effective_affinity_list": "3"},
        (
            "interrupts",
            "warn",
            "1 go to polling CPUs: 25",
            "echo 0-1 | sudo tee /proc/irq/25/smp_affinity_list",
        ),
    ),
    (
        {
            "proc/irq/25/effective_affinity_list": None,
            "proc/irq/25/smp_affinity_list": "0-3",
        },
        ("interrupts", "warn", "25", "/proc/irq/25/smp_affinity_list"),
    ),
    (
        {"sys/fs/cgroup/system.slice/drip.service/cpu.max": "150000 100000"},
        (
            "CPU quota",
            "bad",
            "1.5 CPUs (/sys/fs/cgroup/system.slice/drip.service/cpu.max)",
            "sudo systemctl set-property drip.service CPUQuota=",
        ),
    ),
    (
        {"sys/fs/cgroup/system.slice/cpu.max": "400000 100000"},
        ("CPU quota", "warn", "4 CPUs", "sudo systemctl set-property system.slice CPUQuota="),
    ),
    (
        {
            "proc/self/cgroup": "3:cpu,cpuacct:/box",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us": "50000",
            "sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us": "100000",
        },
        (
            "CPU quota",
            "bad",
            "0.5 CPUs",
            "echo -1 | sudo tee /sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us",
        ),
    ),
    ({"proc/self/cgroup": None}, ("CPU quota", "unknown", "cannot be read", "")),
    (
        {"proc/cpuinfo": "flags\t\t: fpu tsc constant_tsc\n"},
        ("TSC", "bad", "not nonstop", ""),
    ),
    ({"proc/cpuinfo": "flags\t\t: fpu tsc\n"}, ("TSC", "bad", "not constant, not nonstop", "")),
    (
        {CLOCK + "current_clocksource": "hpet"},
        ("clock source", "warn", "hpet", "echo tsc | sudo tee /" + CLOCK + "current_clocksource"),
    ),
    (
        {
            CLOCK + "current_clocksource": "kvm-clock",
            CLOCK + "available_clocksource": "kvm-clock acpi_pm",
        },
        ("clock source", "warn", "kvm-clock", "dmesg"),
    ),
    (
        {
            "sys/devices/system/node/node0/cpulist": "0-1",
            "sys/devices/system/node/node1/cpulist": "2-3",
            "sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages": "9",
        },
        ("NUMA", "warn", "port eth1 is on node 0, polling CPUs 2-3 are not", "CPUs out of 0-1"),
    ),
    (
        {
            "sys/devices/system/node/node0/cpulist": "2-3",
            "sys/devices/system/node/node1/cpulist": "0-1",
            "sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages": "0",
        },
        (
            "NUMA",
            "warn",
            "node 0 polls and has no hugepages",
            "node0/hugepages/hugepages-2048kB/nr_hugepages",
        ),
    ),
    (
        {PAGES + "nr_hugepages": "20", PAGES + "free_hugepages": "7"},
        (
            "hugepages",
            "warn",
            "7 of 2 MiB are free, 116 are needed",
            "echo 129 | sudo tee /" + PAGES + "nr_hugepages",
        ),
    ),
    (
        {"proc/self/limits": "Max locked memory         8388608  8388608  bytes\n"},
        ("locked memory", "warn", "limit of 8388608 bytes", "LimitMEMLOCK=infinity"),
    ),
    (
        {
            "proc/self/limits": "Max locked memory         8388608  8388608  bytes\n",
            "proc/self/status": "CapEff:\t0000000000004000\n",
        },
        ("locked memory", "good", "CAP_IPC_LOCK", ""),
    ),
    (
        {"ethtool/eth1": "generic-receive-offload: on\nlarge-receive-offload: off\n"},
        ("offloads of eth1", "good", "gro; dripd turns them off when it starts", ""),
    ),
    (
        {"ethtool/eth1": TSO.format("on", "off")},
        ("offloads of eth1", "good", "tso; dripd turns them off when it starts", ""),
    ),
    # What is left of TSO once it is off, in newer kernels.
    (
        {"ethtool/eth1": TSO.format("off", "on")},
        ("offloads of eth1", "good", "none that joins frames", ""),
    ),
    ({"ethtool/eth1": None}, ("offloads of eth1", "unknown", "no ethtool", "")),
]


class Machine:
    """A captured one in a directory of its own."""

    def __init__(self, directory, differences):
        self.root = directory
        for name, text in {**GOOD, **differences}.items():
            if text is not None:
                path = directory / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text + "\n")


def doctor(dripctl, *arguments, server="unix:/nowhere/dripd.sock"):
    command = [dripctl, "--server", server, "doctor", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def examined(dripctl, root, *arguments, **more):
    done = doctor(dripctl, "--json", "--root", root, *arguments, **more)
    assert done.returncode in (0, 1) and not done.stderr, f"{done.returncode}: {done.stderr}"
    findings = json.loads(done.stdout)["findings"]
    bad = any(finding["verdict"] == "bad" for finding in findings)
    assert done.returncode == (1 if bad else 0), f"exit code {done.returncode}: {findings}"
    return findings


def good_machine(dripctl, scratch):
    root = Machine(scratch / "good", {}).root
    findings = examined(dripctl, root, "--cpus", "2,3", "--interface", "eth1")
    verdicts = {finding["check"]: finding["verdict"] for finding in findings}
    assert set(verdicts.values()) == {"good"}, findings
    assert len(verdicts) == 14, sorted(verdicts)
    assert all(not finding["mend"] for finding in findings), findings


def each_case(dripctl, scratch):
    for number, (differences, (check, verdict, found, mend)) in enumerate(CASES):
        root = Machine(scratch / str(number), differences).root
        findings = examined(dripctl, root, "--cpus", "2,3", "--interface", "eth1")
        of_check = [finding for finding in findings if finding["check"] == check]
        text = f"{differences}: {of_check}"
        assert len(of_check) == 1, text
        finding = of_check[0]
        assert finding["verdict"] == verdict and found in finding["found"], text
        assert mend in finding["mend"] and bool(mend) == bool(finding["mend"]), text
        assert verdict in ("good", "unknown") or finding["why"], text
        # nohz_full offloads callbacks, so it is part of two checks.
        related = {check, "nohz_full"} if check == "rcu_nocbs" else {check}
        others = [one for one in findings if one["check"] not in related]
        assert all(one["verdict"] == "good" for one in others), f"{differences}: {others}"


def what_cannot_be_asked(dripctl, scratch):
    root = scratch / "good"
    findings = examined(dripctl, root)
    first = findings[0]
    assert first["check"] == "polling CPUs" and first["verdict"] == "unknown", first
    assert "dripctl doctor --cpus" in first["mend"], first
    assert not any(finding["check"] == "isolcpus" for finding in findings), findings
    for arguments in (["--cpus", "x"], ["--root", scratch / "no"], ["--pid", "-1"]):
        done = doctor(dripctl, *arguments)
        assert done.returncode == 2 and done.stderr, f"{arguments}: {done}"


def a_tty_has_colours(dripctl, scratch):
    root = Machine(scratch / "colours", {"proc/cpuinfo": "flags : fpu\n"}).root
    command = [dripctl, "--server", "unix:/nowhere", "doctor", "--root", root, "--cpus", "2,3"]
    plain = subprocess.run(command, capture_output=True, text=True)
    assert plain.returncode == 1 and "\033" not in plain.stdout, plain
    assert "0 unknown, 0 warn, 1 bad" in plain.stdout, plain.stdout
    leader, follower = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    done = subprocess.Popen(command, stdout=follower, env=environment)
    os.close(follower)
    text = b""
    while True:
        try:
            got = os.read(leader, 4096)
        except OSError:  # The other end is closed.
            break
        if not got:
            break
        text += got
    os.close(leader)
    assert done.wait(10) == 1
    assert b"\033[31mbad" in text and b"\033[32mgood" in text, text


def a_dripd_that_runs(dripctl, dripd, scratch):
    server = f"unix:{scratch}/dripd.sock"
    cpu = str(min(os.sched_getaffinity(0)))
    flags = ["--listen", server, "--cpus", cpu, "--idle", "sleep"]
    process = subprocess.Popen([dripd, *flags], stderr=subprocess.DEVNULL)
    try:
        show = [dripctl, "--server", server, "node", "show"]
        deadline = time.monotonic() + 30
        while subprocess.run(show, capture_output=True).returncode != 0:
            assert time.monotonic() < deadline and process.poll() is None, "dripd does not serve"
            time.sleep(0.1)
        findings = examined(dripctl, scratch / "good", server=server)
        found = {finding["check"]: finding["found"] for finding in findings}
        assert found["polling CPUs"] == cpu, found
        assert found["hugepages"] == "none needed: no ports", found
        # This very machine: whatever it is, each check has an answer.
        done = doctor(dripctl, "--json", server=server)
        assert done.returncode in (0, 1), done.stderr
        assert len(json.loads(done.stdout)["findings"]) >= 12, done.stdout
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def main():
    dripctl, dripd = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        scratch = pathlib.Path(scratch)
        good_machine(dripctl, scratch)
        each_case(dripctl, scratch)
        what_cannot_be_asked(dripctl, scratch)
        a_tty_has_colours(dripctl, scratch)
        a_dripd_that_runs(dripctl, dripd, scratch)
    print(f"{len(CASES)} machines")


if __name__ == "__main__":
    main()
