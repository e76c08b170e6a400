#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What packages are made of fits together, without building them: the unit's confinement and its figure
in the docs, versions, lists of files, the installed configuration. BUILD"""
import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "scripts/packaging"
MOST_EXPOSURE = 2.0


def check(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")


def exposure(*files):
    """As systemd-analyze has it for a unit with these drop-ins."""
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        unit = pathlib.Path(scratch) / "dripd.service"
        text = files[0].read_text()
        for drop_in in files[1:]:
            text += "\n" + drop_in.read_text()
        unit.write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
            capture_output=True,
            text=True,
        )
    found = re.search(r"Overall exposure level for dripd.service: ([\d.]+)", done.stdout)
    check(found, f"systemd-analyze: {done}")
    return float(found[1])


def check_exposure(_):
    if shutil.which("systemd-analyze") is None:
        print("the unit's exposure is not checked: there is no systemd-analyze")
        return
    figure = exposure(PACKAGING / "dripd.service")
    wide = exposure(PACKAGING / "dripd.service", PACKAGING / "kernel-interfaces.conf")
    print(f"exposure {figure}, with kernel interfaces {wide}")
    check(figure <= MOST_EXPOSURE, f"exposure {figure}, {MOST_EXPOSURE} allowed")
    said = " ".join((ROOT / "docs/deploy.md").read_text().split())
    told = f"`systemd-analyze security` gives it {figure}, with that drop-in {wide}"
    check(told in said, f"docs/deploy.md does not say: {told}")


def check_version(build):
    changelog = (PACKAGING / "debian/changelog").read_text()
    version = re.match(r"drip \((.*)\)", changelog)[1]
    project = json.loads(
        subprocess.run(
            ["meson", "introspect", build, "--projectinfo"], capture_output=True, check=True
        ).stdout
    )["version"]
    check(version == project, f"debian/changelog has {version}, meson.build {project}")


def check_lists(build):
    """Each file that is installed is in one package, and each that a package names is there."""
    plan = json.loads(
        subprocess.run(
            ["meson", "introspect", build, "--install-plan"], capture_output=True, check=True
        ).stdout
    )
    prefixes = {"bindir": "usr/bin", "sbindir": "usr/sbin", "includedir": "usr/include"}
    prefixes |= {"datadir": "usr/share", "mandir": "usr/share/man", "prefix": "usr"}
    prefixes |= {"libdir": "usr/lib", "libexecdir": "usr/libexec"}
    installed = set()
    for files in plan.values():
        for file in files.values():
            where = file["destination"]
            for key, prefix in prefixes.items():
                where = where.replace(f"{{{key}}}", prefix)
            # Meson has drip.pc below the prefix, whose name it leaves out.
            installed.add(where if where.startswith("usr/") else f"usr/{where}")
    taken = {}
    for listing in sorted((PACKAGING / "debian").glob("*.*")):
        if listing.suffix not in (".install", ".manpages", ".examples"):
            continue
        for line in listing.read_text().splitlines():
            source = line.split()[0].removeprefix("debian/tmp/")
            if not source.startswith("usr/"):
                check((ROOT / source).exists(), f"{listing.name}: there is no {source}")
                continue
            found = {one for one in installed if one == source or one.startswith(source + "/")}
            check(found, f"{listing.name}: nothing installs {source}")
            for one in found:
                check(one not in taken, f"{one} is in {taken.get(one)} and {listing.name}")
                taken[one] = listing.name
    left = installed - set(taken)
    check(not left, f"in no package: {sorted(left)}")
    print(f"{len(taken)} files in packages")


def check_build_depends(_):
    """What the build needs is named in scripts/packages.txt as well."""
    control = (PACKAGING / "debian/control").read_text()
    needed = re.search(r"^Build-Depends: (.*?)^\w", control, re.MULTILINE | re.DOTALL)[1]
    names = {name.split()[0] for name in needed.replace("\n", "").split(",") if name.strip()}
    listed = dict(
        reversed(line.split())
        for line in (ROOT / "scripts/packages.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    unknown = names - set(listed) - {"debhelper-compat", "dh-sequence-installsysusers", "python3"}
    check(not unknown, f"not in scripts/packages.txt: {unknown}")


def check_configuration(build):
    """dripd starts with the installed file, and listens where it says."""
    text = (PACKAGING / "dripd.toml").read_text()
    check('unix:/run/drip/dripd.sock,mode=0660,group=drip"' in text, text)
    with tempfile.TemporaryDirectory(prefix="drip-") as scratch:
        config = pathlib.Path(scratch) / "dripd.toml"
        text = text.replace("/run/drip", scratch).replace("/var/log/drip", scratch)
        config.write_text(text.replace(",group=drip", ""))
        daemon = subprocess.Popen(
            [f"{build}/src/daemon/dripd", "--config", config, "--state", f"{scratch}/state"]
        )
        try:
            end = time.monotonic() + 60
            while not answers(f"{scratch}/dripd.sock"):
                check(daemon.poll() is None, f"dripd ended with {daemon.returncode}")
                check(time.monotonic() < end, "dripd does not listen")
                time.sleep(0.05)
        finally:
            daemon.terminate()
            daemon.wait()


def answers(path):
    with socket.socket(socket.AF_UNIX) as one:
        return one.connect_ex(path) == 0


def main():
    build = sys.argv[1]
    for test in (
        check_exposure,
        check_version,
        check_lists,
        check_build_depends,
        check_configuration,
    ):
        test(build)


if __name__ == "__main__":
    main()
