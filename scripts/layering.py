#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks who includes whom, that each file says its license, and that none names a place of ours.

The rooms and what each may include are those of docs/architecture.md. The compiler sees only what a
library links; this sees every #include line.
"""

import pathlib
import re
import subprocess
import sys

# A room: the rooms it may include besides itself, and the libraries.
ROOMS = {
    "include/drip": ({"drip"}, {"absl"}),
    "src/core": ({"drip"}, {"absl"}),
    "src/dataplane": ({"core", "drip"}, {"absl", "fmt", "numa"}),
    "src/dpdk": ({"dataplane", "core", "drip"}, {"absl", "fmt", "numa", "rte"}),
    "src/control": ({"core", "drip", "proto"}, {"absl", "fmt", "grpc"}),
    "src/cluster": ({"control", "core", "drip", "proto"}, {"absl", "fmt", "grpc", "redis"}),
    "src/daemon": (
        {"cluster", "control", "dpdk", "dataplane", "core", "drip", "proto"},
        {"absl", "fmt", "grpc", "numa", "redis", "cli", "toml", "spdlog"},
    ),
    "src/cli": ({"drip", "proto"}, {"absl", "fmt", "grpc", "cli", "json", "toml"}),
    "src/bench/link": (set(), {"fmt", "cli"}),
    "src/bench": (
        {"control", "dpdk", "dataplane", "core", "drip", "proto"},
        {"absl", "fmt", "grpc", "numa", "rte", "cli", "json", "benchmark"},
    ),
}
LIBRARIES = [
    ("rte", re.compile(r"(rte|cmdline)_\w+\.h$")),
    ("absl", re.compile(r"absl/")),
    ("fmt", re.compile(r"fmt/")),
    ("numa", re.compile(r"numa(if)?\.h$")),
    ("grpc", re.compile(r"(grpc|grpcpp|google/protobuf)/")),
    ("redis", re.compile(r"(hiredis|openssl)/")),
    ("cli", re.compile(r"CLI/")),
    ("json", re.compile(r"nlohmann/")),
    ("toml", re.compile(r"toml\+\+/")),
    ("spdlog", re.compile(r"spdlog/")),
    ("benchmark", re.compile(r"benchmark/")),
]
# The first two rooms are pure: not even the operating system.
PURE = {"include/drip", "src/core"}
# Text to address and back: functions of their arguments alone.
PURE_SYSTEM = {"src/core": {"arpa/inet.h"}}
STANDARD = re.compile(r"[a-z_0-9]+$")

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)
CPP = {".h", ".cc", ".inl"}
LICENSED = CPP | {".proto", ".py", ".sh", ".lua"}
LICENSE_LINE = "SPDX-License-Identifier: BSD-3-Clause"
OUR_PLACES = re.compile(r"(?<![\w.])/(home|work|root|Users)/\w")


def files() -> list[pathlib.Path]:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", "-z"],
        check=True,
        capture_output=True,
        text=True,
    )
    paths = (pathlib.Path(name) for name in listed.stdout.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def room_of(path: pathlib.Path) -> str | None:
    for room in ROOMS:
        if path.as_posix().startswith(room + "/"):
            return room
    return None


def target_of(path: pathlib.Path, name: str) -> str | None:
    """The room or library that `name` belongs to; None for the standard library and the system."""
    first = name.split("/")[0]
    if name.startswith("drip/v1/"):
        return "proto"
    if first == "drip":
        return "drip"
    if "/" in name and f"src/{first}" in ROOMS:
        return first
    if (path.parent / name).is_file():
        return path.parent.name
    for library, pattern in LIBRARIES:
        if pattern.match(name):
            return library
    return None


def include_errors(path: pathlib.Path, text: str) -> list[str]:
    room = room_of(path)
    if room is None:
        return []
    rooms, libraries = ROOMS[room]
    allowed = rooms | libraries | {room.split("/")[-1]}
    errors = []
    for match in INCLUDE.finditer(text):
        name = match[2]
        line = text.count("\n", 0, match.start(2)) + 1
        target = target_of(path, name)
        if target is None:
            if match[1] == '"':
                errors.append(f'{path}:{line}: "{name}" is no file of ours and no known library')
            elif (
                room in PURE
                and not STANDARD.match(name)
                and name not in PURE_SYSTEM.get(room, set())
            ):
                errors.append(f"{path}:{line}: {room} is pure, and <{name}> is not standard C++")
        elif target not in allowed:
            errors.append(f"{path}:{line}: {room} may not include {target} ({name})")
    return errors


def license_errors(path: pathlib.Path, text: str) -> list[str]:
    script = text.startswith("#!")
    if not (path.suffix in LICENSED or script or path.name.startswith("meson")):
        return []
    lines = text.splitlines()
    line = (lines[1:2] if script else lines[:1]) or [""]
    if LICENSE_LINE in line[0]:
        return []
    return [f"{path}:{2 if script else 1}: does not begin with '{LICENSE_LINE}'"]


def place_errors(path: pathlib.Path, text: str) -> list[str]:
    return [
        f"{path}:{number}: names a place on one machine: {line.strip()[:60]}"
        for number, line in enumerate(text.splitlines(), 1)
        if OUR_PLACES.search(line)
    ]


def main() -> int:
    errors = []
    checked = 0
    for path in files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # A picture, a pcap.
        checked += 1
        if path.suffix in CPP:
            errors += include_errors(path, text)
        errors += license_errors(path, text)
        errors += place_errors(path, text)
    print("\n".join(errors) if errors else f"Layering: {checked} files are as they should be.")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
