#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The packages are built, checked by lintian and autopkgtest, and live through what packages live
through in a fresh Debian 12 that boots systemd: install, configuration as the README has it, upgrade,
removal, installation again, purge. BUILD [DIRECTORY of packages that are built already]"""
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import traceback

from booted_debian import Booted, Failure, bootstrap, check, require, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTERFACES = ("drip-t0", "drip-t1", "drip-t2", "drip-t3")
SOCKET = "DRIPCTL_SERVER=unix:/run/drip/dripd.sock dripctl"
NETWORK = (
    "cd /opt && DRIPCTL_SERVER=localhost:50051 dripctl"
    " --tls-ca /etc/drip/dripd.crt --token-file ops.token"
)
INSTALL = "apt-get -qq update && apt-get -qq install"


def step(text):
    print(f"== {time.strftime('%H:%M:%S')} {text}", flush=True)


def as_older(packages, older):
    """The same packages once more, as version 0.0.9."""
    older.mkdir()
    for name in ("drip", "dripctl"):
        (deb,) = packages.glob(f"{name}_[0-9]*_amd64.deb")
        tree = older / name
        subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
        control = tree / "DEBIAN/control"
        control.write_text(
            re.sub(r"^Version: .*", "Version: 0.0.9", control.read_text(), flags=re.M)
        )
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-b", tree, packages / f"older-{name}.deb"],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def buckets(debian, how=SOCKET):
    return debian.run(f"{how} bucket list --names", may_fail=True).stdout.split()


def answers(debian, how=SOCKET):
    return debian.run(f"{how} node show", may_fail=True).returncode == 0


def wait_for_service(debian, how=SOCKET):
    try:
        wait_until(lambda: answers(debian, how), "dripd answers")
    except Failure:
        print(debian.run("systemctl status dripd; journalctl -u dripd", may_fail=True).stdout)
        raise


def check_service(debian):
    """As it comes: a confined service of its own user, for root and its group."""
    wait_for_service(debian)
    owner = debian.run('stat -c %U "/proc/$(systemctl show -P MainPID dripd)"').stdout.strip()
    check(owner == "drip", f"dripd runs as {owner}")
    shown = debian.run("systemd-analyze security --no-pager dripd", may_fail=True).stdout
    exposure = float(re.search(r"exposure level for dripd.service: ([\d.]+)", shown)[1])
    check(exposure <= 2.0, f"exposure {exposure}")
    print(f"exposure of the running service: {exposure}")
    refused = debian.run(f"{SOCKET} node show", may_fail=True, user="nobody")
    check(refused.returncode == 3, f"nobody is let in: {refused}")
    debian.run("useradd --groups drip shaper-ops")
    check(
        debian.run(f"{SOCKET} node show", user="shaper-ops").returncode == 0,
        "the group is kept out",
    )
    for path in ("man8/dripd.8", "man1/dripctl.1", "man1/drip-bench.1", "man8/drip-hugepages.8"):
        debian.run(f"test -s /usr/share/man/{path}.gz")
    debian.run("drip-hugepages show && dripctl --version && drip-bench --help >/dev/null")


def check_autopkgtest_service(debian):
    test = (ROOT / "scripts/packaging/debian/tests/service").read_text()
    (debian.root / "opt/service").write_text(test)
    debian.run("sh /opt/service && rm /opt/service")


def readme():
    """(commands, the configuration) of the README's section."""
    text = (ROOT / "README.md").read_text()
    section = text.partition("## Install it\n")[2].partition("\n## ")[0]
    config = re.search(r"```toml\n(.*?)```", section, re.DOTALL)[1]
    lines = re.findall(r"^    (.*)$", section, re.MULTILINE)
    return "\n".join(lines), config


def follow_readme(debian):
    commands, config = readme()
    for number, name in ((1, "drip-t1"), (2, "drip-t2")):
        check(f'"eth{number}"' in config, f"the README has no eth{number}")
        config = config.replace(f'"eth{number}"', f'"{name}"')
    commands = commands.replace("sudo ", "")
    # Installed already; and hugepages are those of this machine, which are not ours to change.
    commands = commands.replace("apt install ./drip_*.deb ./dripctl_*.deb openssl\n", "")
    commands = commands.replace("drip-hugepages set", "drip-hugepages show")
    before, start, after = commands.partition("systemctl restart dripd\n")
    check(start and "dripctl token create" in before and "rule default all" in after, commands)
    (debian.root / "etc/drip/dripd.toml").write_text(config)
    debian.run("cd /opt\n" + before + start)
    wait_for_service(debian, NETWORK)
    debian.run("cd /opt\n" + after)
    check(buckets(debian, NETWORK) == ["all"], "the bucket is not there")
    for how in (SOCKET, NETWORK.replace(" --token-file ops.token", "")):
        without = debian.run(f"{how} node show", may_fail=True)
        check(without.returncode == 5 and "UNAUTHENTICATED" in without.stderr, f"{without}")
    log = (debian.root / "var/log/drip/audit.log").read_text()
    check('token \\"ops\\"' in log and '"bucket all"' in log, f"the audit log: {log}")


def frames_pass(debian):
    """Frames go from one interface to the other, through the bucket."""
    mac = bytes(6)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as left:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as right:
            left.bind((INTERFACES[0], 0))
            right.bind((INTERFACES[3], 0))
            right.settimeout(0.2)
            frame = mac + b"\x02" + mac[1:] + b"\x88\xb5" + b"drip" * 20

            def comes():
                left.send(frame)
                try:
                    while right.recv(2048) != frame:
                        pass
                except TimeoutError:
                    return False
                return True

            wait_until(comes, "a frame passes")
    shown = debian.run(f"{NETWORK} --json bucket show all").stdout
    sent = int(re.search(r'"processed_requests": (\d+)', shown)[1])
    check(sent > 0, f"the bucket has sent nothing: {shown}")
    print(f"{sent} frames through the bucket")


def make_interfaces():
    for one, other in (INTERFACES[:2], INTERFACES[2:]):
        subprocess.run(
            ["ip", "link", "add", one, "type", "veth", "peer", "name", other], check=True
        )
        for name in (one, other):
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
            subprocess.run(["ethtool", "-K", name, "tx", "off"], stdout=subprocess.DEVNULL)


def remove_interfaces():
    for name in (INTERFACES[0], INTERFACES[2]):
        subprocess.run(["ip", "link", "delete", name], capture_output=True)


def live_through(debian):
    step("an older version is installed")
    debian.run(f"{INSTALL} /packages/older-drip.deb /packages/older-dripctl.deb")
    check_service(debian)
    step("autopkgtest's service")
    check_autopkgtest_service(debian)
    step("the README is followed")
    follow_readme(debian)
    frames_pass(debian)
    step("kill -9, a restart")
    debian.run("systemctl kill -s KILL dripd")
    wait_until(lambda: buckets(debian, NETWORK) == ["all"], "the bucket is back after kill -9")
    debian.run("systemctl restart dripd")
    wait_until(lambda: buckets(debian, NETWORK) == ["all"], "the bucket is back after a restart")

    step("upgrade")
    config = (debian.root / "etc/drip/dripd.toml").read_text()
    was = debian.run("systemctl show -P MainPID dripd").stdout
    debian.run(f"{INSTALL} /packages/drip_*.deb /packages/dripctl_*.deb")
    check(debian.run("systemctl show -P MainPID dripd").stdout != was, "the old one still runs")
    wait_until(lambda: buckets(debian, NETWORK) == ["all"], "the bucket is back after an upgrade")
    check((debian.root / "etc/drip/dripd.toml").read_text() == config, "the file was replaced")
    frames_pass(debian)

    step("removal, installation again")
    debian.run("apt-get -qq remove drip")
    gone = debian.run("systemctl is-active dripd", may_fail=True).stdout.strip()
    check(gone == "inactive", f"after the removal the service is {gone}")
    check((debian.root / "var/lib/drip").exists(), "the state went with the removal")
    debian.run(f"{INSTALL} /packages/drip_*.deb")
    wait_until(lambda: buckets(debian, NETWORK) == ["all"], "the bucket is back")

    step("purge")
    debian.run("apt-get -qq purge drip dripctl && rm -rf /etc/systemd/system/dripd.service.d")
    debian.run("rm -f /opt/ops.token && systemctl daemon-reload && systemctl reset-failed")
    left = debian.run(
        "find / -xdev -name '*drip*' -not -path '/proc/*' -not -path '/sys/*' "
        "-not -path '/packages/*' -not -name 90drip-test"
    ).stdout.split()
    # What an operator has made is not the package's to delete.
    left = [path for path in left if not path.startswith("/etc/drip")]
    check(not left, f"left after the purge: {left}")
    check("drip" in debian.run("getent passwd drip").stdout, "the user went with the purge")
    kept = sorted(path.name for path in (debian.root / "etc/drip").iterdir())
    check("dripd.toml" not in kept and "dripd.key" in kept, f"of /etc/drip is left: {kept}")
    debian.run("rm -r /etc/drip")

    step("installation after a purge")
    debian.run(f"{INSTALL} /packages/drip_*.deb /packages/dripctl_*.deb")
    wait_for_service(debian)
    check(buckets(debian) == [], "something outlived the purge")
    debian.run("apt-get -qq purge drip dripctl")
    check(not (debian.root / "etc/drip").exists(), "/etc/drip is left")
    failed = debian.run("systemctl --failed --plain --no-legend").stdout
    check("drip" not in failed, f"failed: {failed}")


def run_autopkgtest(packages, root, scratch):
    debs = [str(path) for path in packages.glob("*_[0-9]*.deb") if "dbgsym" not in path.name]
    tree = scratch / "tree"
    tree.mkdir()
    shutil.copytree(ROOT / "docs", tree / "docs")
    shutil.copytree(ROOT / "scripts/packaging/debian", tree / "debian")
    done = subprocess.run(
        ["autopkgtest", "--no-built-binaries", *debs, f"{tree}/", "--", "chroot", root],
        capture_output=True,
        text=True,
    )
    print(*re.findall(r"^\w+ +(?:PASS|FAIL|SKIP).*", done.stdout, re.MULTILINE), sep="\n")
    # 2: some were skipped, which is `service`: it needs a system that has booted.
    check(done.returncode in (0, 2), f"autopkgtest: {done.returncode}\n{done.stdout[-6000:]}")
    for name in ("smoke", "library"):
        check(re.search(rf"^{name} +PASS", done.stdout, re.MULTILINE), f"{name} did not pass")


def build_image(packages, root, scratch):
    """By the recipe of scripts/packaging/Containerfile, on the base that debootstrap has made."""
    storage = ["--root", scratch / "storage", "--runroot", scratch / "run", "--storage-driver=vfs"]

    def buildah(*arguments):
        done = subprocess.run(
            ["buildah", *storage, *arguments], capture_output=True, text=True, timeout=1200
        )
        check(done.returncode == 0, f"buildah {arguments[0]}: {done.stdout}{done.stderr}"[-3000:])
        return (done.stdout.split() or [""])[-1]

    base = buildah("from", "scratch")
    buildah("copy", "--quiet", base, root, "/")
    buildah("commit", "--quiet", base, "localhost/bookworm")
    buildah(
        *("build", "--isolation=chroot", "--build-arg=BASE=localhost/bookworm"),
        *("--file", ROOT / "scripts/packaging/Containerfile", "--tag", "drip", packages),
    )
    container = buildah("from", "--pull-never", "drip")
    script = (
        "dripd --listen unix:/tmp/s --state /var/lib/drip & sleep 0.1; for i in $(seq 100); do"
        " dripctl --server unix:/tmp/s node show && id -un && exit 0; sleep 0.5; done; exit 1"
    )
    user = buildah("run", "--isolation=chroot", container, "--", "sh", "-c", script)
    check(user == "drip", f"in the container dripd runs as {user}")


def main():
    require("debootstrap", "systemd-nspawn", "buildah", "autopkgtest", "dpkg-deb", "nsenter")
    with tempfile.TemporaryDirectory(prefix="drip-", dir="/var/tmp") as scratch:
        scratch = pathlib.Path(scratch)
        scratch.chmod(0o755)
        packages = scratch / "packages"
        if len(sys.argv) > 2:
            shutil.copytree(sys.argv[2], packages)
        else:
            step("packages are built")
            subprocess.run([ROOT / "scripts/package.sh", "--lintian", packages], check=True)
        step("debootstrap")
        root = scratch / "root"
        bootstrap(root)
        subprocess.run(["cp", "-a", root, scratch / "chroot"], check=True)
        step("autopkgtest")
        run_autopkgtest(packages, scratch / "chroot", scratch)
        step("image of a container")
        build_image(packages, root, scratch)
        as_older(packages, scratch / "older")
        remove_interfaces()
        make_interfaces()
        try:
            with Booted(root, packages, scratch / "boot.log") as debian:
                live_through(debian)
        finally:
            remove_interfaces()


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        print(f"FAILED: {failure}")
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
