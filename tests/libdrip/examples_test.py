#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Installs libdrip, then builds and runs its examples outside of the repository.

examples_test.py BUILD SOURCE COMPILER    by nothing but pkg-config's flags
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"]
EAL = [
    "--no-huge",
    "-m",
    "64",
    "--no-pci",
    "--no-shconf",
    "--vdev",
    "net_ring0",
    "--vdev",
    "net_ring1",
]


def run(*command, **options):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=240, **options
    )
    if done.returncode != 0:
        sys.exit(f"FAILED: {shlex.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def pkg_config(*arguments, **environment):
    return shlex.split(run("pkg-config", *arguments, env=os.environ | environment))


def install(build, root):
    """Returns where drip.pc is. The prefix in it is not `root`, so pkg-config is told to guess it."""
    run("meson", "install", "-C", build, "--no-rebuild", "--tags", "devel", "--destdir", root)
    (pc_file,) = root.rglob("drip.pc")
    return {"PKG_CONFIG_PATH": str(pc_file.parent)}


def check_library_only(source, scratch, installed):
    """Installs the same headers where pkg-config finds no package at all."""
    build, root = scratch / "library_only", scratch / "library_root"
    nothing = os.environ | {"PKG_CONFIG_LIBDIR": str(scratch), "PKG_CONFIG_PATH": ""}
    run("meson", "setup", build, source, "-Dlibrary_only=true", env=nothing)
    run("meson", "install", "-C", build, "--destdir", root)
    (include,) = (path for path in root.rglob("drip") if path.parent.name == "include")
    if headers_below(include.parent) != installed:
        sys.exit(f"FAILED: -Dlibrary_only=true installs {headers_below(include.parent)}")
    if not list(root.rglob("drip.pc")):
        sys.exit("FAILED: -Dlibrary_only=true installs no drip.pc")


def headers_below(directory):
    paths = (path.relative_to(directory) for path in (directory / "drip").rglob("*.h"))
    return sorted(path.as_posix() for path in paths if path.parts[1] != "v1")


def check_headers(source, cflags, compilers, scratch):
    """All are installed, each compiles by itself, and needs the standard library only."""
    (include,) = [pathlib.Path(flag[2:]) for flag in cflags if flag.startswith("-I")]
    installed, wanted = headers_below(include), headers_below(source / "include")
    if installed != wanted:
        sys.exit(f"FAILED: installed are {installed}, include/drip has {wanted}")
    for name in installed:
        for header in re.findall(r"#include (\S+)", (include / name).read_text()):
            if not re.fullmatch(r'<[a-z_]+>|"drip/([a-z]+/)?[a-z_0-9]+\.h"', header):
                sys.exit(f"FAILED: {name} includes {header}")
        unit = scratch / "header.cc"
        unit.write_text(f'#include <{name}>\n#include "{name}"\n')
        for compiler in compilers:
            run(*compiler, "-std=c++20", "-fsyntax-only", *WARNINGS, *cflags, unit)
    return installed


def main():
    build, source = map(pathlib.Path, sys.argv[1:3])
    compiler = shlex.split(sys.argv[3])
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        path = install(build, scratch / "root")
        if pkg_config("--define-prefix", "--libs", "drip", **path):
            sys.exit("FAILED: drip.pc names something to link")
        drip = pkg_config("--define-prefix", "--cflags", "drip", **path)
        # An application's compiler need not be the one that this build is made by.
        clang = shutil.which("clang++-14")
        compilers = [compiler] + ([[clang]] if clang else [])
        headers = check_headers(source, drip, compilers, scratch)
        print(f"{len(headers)} headers compile by themselves, by {len(compilers)} compilers")
        check_library_only(source, scratch, headers)

        def example(program, cflags, libs, *arguments):
            file = scratch / f"{program}.cc"
            shutil.copy(source / "docs/examples/library" / file.name, file)
            binary = scratch / program
            run(*compiler, "-std=c++20", "-O2", *WARNINGS, *cflags, file, "-o", binary, *libs)
            print(run(binary, *arguments, cwd=scratch))

        example("shaper", drip, [])
        if subprocess.run(["pkg-config", "--exists", "libdpdk"], check=False).returncode != 0:
            return
        # DPDK's own headers do not pass these warnings.
        dpdk = [re.sub("^-I", "-isystem", flag) for flag in pkg_config("--cflags", "libdpdk")]
        libs = pkg_config("--libs", "libdpdk")
        example("dpdk_shaper", drip + dpdk, libs, *EAL)
        example("dpdk_qos", drip + dpdk, libs, *EAL)


if __name__ == "__main__":
    main()
