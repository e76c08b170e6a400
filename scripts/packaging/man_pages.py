#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the manual page of a program from what its --help says, and that of each of its commands:
man_pages.py PROGRAM NAME SECTION VERSION OUT. The layout of --help is that of CLI11; what does not
fit into it is an error, so that no flag is left out."""
import dataclasses
import os
import pathlib
import re
import subprocess
import sys

# What --help has no place for: sections after the others, as roff.
FILES = {
    "dripd": r"""
.SH FILES
.TP
.I /etc/drip/dripd.toml
Options, buckets, rules and access; read with
.B \-\-config
by the systemd unit.
.TP
.I /var/lib/drip
What calls have set, kept by
.BR \-\-state .
.TP
.I /var/log/drip/audit.log
Each change and each refused call.
.TP
.I /run/drip/dripd.sock
Where the installed file lets dripd listen.
.SH EXIT STATUS
0: stopped by a signal. 1: the machine does not give what was asked for. 2: a flag or a file is
wrong.
""",
    "dripctl": r"""
.SH ENVIRONMENT
.TP
.B DRIPCTL_SERVER, DRIPCTL_CONTEXT
As
.B \-\-server
and
.BR \-\-context .
.TP
.B DRIPCTL_TOKEN
A token; an argument could be read by every user of the machine.
.SH FILES
.TP
.I ~/.config/dripctl/config.toml
Contexts: servers under a name.
""",
    "drip-hugepages": r"""
.SH FILES
.TP
.I /etc/sysctl.d/80-drip.conf
The number of hugepages for each boot.
""",
}
SEE_ALSO = {"dripctl": 1, "dripd": 8, "drip-bench": 1, "drip-hugepages": 8}

# `--flag TYPE ...`, with all that CLI11 may put behind a name and before the description.
NAME = re.compile(
    r"(?P<name>(-\w,)?--[\w-]+(\{\w+\})?|[\w-]+)"
    r"(?P<type> (?!REQUIRED|Needs:|Excludes:|\(Env)\S+( in \[[^\]]*\])?(=\S+)?)?"
    r"(?P<many> \.\.\.)?(?P<required> REQUIRED)?(?P<environment> \(Env:\w+\))?"
    r"(?P<needs> Needs:( --[\w-]+)+)?(?P<excludes> Excludes:( --[\w-]+)+)?"
)


@dataclasses.dataclass
class Entry:
    """A flag, a positional argument or a command."""

    name: re.Match
    text: str


@dataclasses.dataclass
class Help:
    """What one --help says."""

    description: str
    usage: str
    # (heading, text below it, entries), in their order.
    groups: list
    footer: list


def parse(text):
    lines = text.rstrip().splitlines()
    usage = next(number for number, line in enumerate(lines) if line.startswith("Usage:"))
    result = Help(" ".join(lines[:usage]).strip(), lines[usage][7:], [], [])
    flags = next(line for line in lines if "--help" in line and "Print this help" in line)
    column = flags.index("Print this help")
    extra = 0  # By which the entries of a group are further to the right.
    number = usage + 1
    while number < len(lines):
        line = lines[number]
        number += 1
        heading = re.fullmatch(r"(  )?(Positionals|Options|Subcommands):", line)
        group = re.fullmatch(r"\[Option Group: (.*)\]", line)
        if group:
            result.groups.append((group[1], [], []))
        elif heading and heading[1]:
            extra = 2
        elif heading:
            extra = 0
            result.groups.append((heading[2], [], []))
        elif not line.strip():
            continue
        elif not result.groups or not line.startswith("  "):
            result.footer = lines[number - 1 :]
            break
        elif extra == 0 and result.groups[-1][0] not in ("Positionals", "Options", "Subcommands"):
            result.groups[-1][1].append(line.strip())
        else:
            read_entry(line, column + extra, result.groups[-1])
        if group:
            # Its own lines come before its "Options:".
            extra = 0
    return result


def read_entry(line, column, group):
    _, text, entries = group
    if len(line) - len(line.lstrip()) >= column:
        entries[-1].text = f"{entries[-1].text} {line.strip()}".strip()
        return
    name, description = line.strip(), ""
    if not NAME.fullmatch(name):
        name, description = line[:column].strip(), line[column:].strip()
    match = NAME.fullmatch(name)
    if not match:
        sys.exit(f"man_pages.py: '{line}' is no entry of --help that is known")
    entries.append(Entry(match, description))


def roff(text):
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return r"\&" + text if text.startswith((".", "'")) else text


def type_of(name):
    """(the name of a value, what it may be): `TEXT:{a,b}` is a|b, `UINT:INT in [1 - 9]=5` is N."""
    text = (name["type"] or "").strip()
    default = f"default {text.rsplit('=', 1)[1]}" if "=" in text and "]=" in text else ""
    bounds = re.search(r"in \[(\S+) - (\S+)\]", text)
    chosen = re.search(r"\{(.*)\}", text)
    if chosen:
        return "|".join(chosen[1].split(",")), ""
    if bounds:
        said = f"{bounds[1]} to {bounds[2]}"
        return "N", f"({said}{'; ' + default if default else ''})"
    if re.match(r"(TEXT|INT|UINT|FLOAT)\b", text):
        word = "N" if not text.startswith("TEXT") else "FILE" if ":FILE" in text else "TEXT"
        default = text.partition("=")[2]
        return word, f"(default {default})" if default else ""
    return text.split(":")[0], ""


def write_entry(entry, out):
    name = entry.name
    kind, allowed = type_of(name)
    flag = re.sub(r"\{\w+\}", "", name["name"])
    head = r"\fR, \fB".join(roff(part) for part in flag.split(","))
    out.append(".TP")
    tail = r" \fI" + roff(kind) + r"\fR" if kind and flag.startswith("-") else ""
    out.append(rf"\fB{head}\fR{tail}{' ...' if name['many'] else ''}")
    more = [allowed] if allowed else []
    if name["required"] and flag.startswith("-"):
        more.append("Required.")
    if name["environment"]:
        more.append(f"Environment: {name['environment'].strip()[5:-1]}.")
    if name["needs"]:
        more.append(f"With {', '.join(name['needs'].split()[1:])} only.")
    if name["excludes"]:
        more.append(f"Not with {', '.join(name['excludes'].split()[1:])}.")
    text = entry.text
    if more and more[0][0] != "(" and not text.endswith("."):
        text += "."
    out.append(roff(" ".join([text, *more]).strip()))


def write_footer(footer, out):
    """Lines that are indented are shown as they are, others are paragraphs."""
    verbatim = above = False
    for line in footer:
        if line.startswith("  ") != verbatim and line.strip():
            out += [".EE"] if verbatim else [".PP", ".EX"]
            verbatim = not verbatim
        if verbatim and line.strip():
            out.append(roff(line))
        elif line.strip():
            # A line of its own, as in --help; no paragraph right below a heading.
            if not out[-1].startswith((".EE", ".SH")):
                out.append(".br" if above else ".PP")
            out.append(roff(line.strip()))
        above = bool(line.strip()) and not verbatim
    if verbatim:
        out.append(".EE")


def write_commands(program, path, entries, out):
    """A section for each command, and one for each of a command's own."""
    for entry in entries:
        command = [*path, entry.name["name"]]
        said = help_of(program, command)
        nested = [group for group in said.groups if group[0] == "Subcommands"]
        own = [
            one
            for heading, _, group in said.groups
            if heading != "Subcommands"
            for one in group
            if not one.name["name"].endswith("--help")
        ]
        out.append(f".SS {roff(' '.join(command))}")
        out.append(roff(entry.text))
        if not nested or own:
            write_body(said, out)
        for _, _, children in nested:
            write_commands(program, command, children, out)


def write_body(said, out):
    arguments = said.usage.split(" ", 1)
    out.append(".PP")
    out.append(rf"\fB{roff(arguments[0])}\fR {roff(arguments[1]) if arguments[1:] else ''}".strip())
    for heading, text, entries in said.groups:
        if heading == "Subcommands":
            continue
        if heading not in ("Options", "Positionals"):
            out.append(rf".PP{chr(10)}\fB{roff(heading)}\fR: {roff(' '.join(text))}")
        for entry in entries:
            if not entry.name["name"].endswith("--help"):
                write_entry(entry, out)
    # That --server and others stand elsewhere is no news in one page.
    write_footer([line for line in said.footer if "dripctl --help" not in line], out)


def help_of(program, command=()):
    """--help of a command; without colours or a home directory that could change it."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [program, *command, "--help"], capture_output=True, text=True, env=environment, check=True
    )
    return parse(done.stdout.replace(str(program), pathlib.Path(program).name))


def page(program, name, section, version):
    said = help_of(program)
    summary = said.description.split(". ")[0].rstrip(".")
    summary = re.sub(rf"^{name}, ", "", summary)
    summary = summary[0].lower() + summary[1:]
    out = [
        f'.TH {name.upper()} {section} "" "drip {version}" "Drip"',
        ".SH NAME",
        rf"{roff(name)} \- {roff(summary)}",
        ".SH SYNOPSIS",
        rf"\fB{roff(name)}\fR {roff(said.usage.split(' ', 1)[1])}",
        ".SH DESCRIPTION",
        roff(said.description),
    ]
    commands = []
    for heading, text, entries in said.groups:
        if heading == "Subcommands":
            commands = entries
            out.append(".SH COMMANDS")
        else:
            out.append(f".SH {roff(heading.upper())}")
            out += [roff(line) for line in text]
        for entry in entries:
            write_entry(entry, out)
    if said.footer:
        out.append(".SH NOTES")
        write_footer(said.footer, out)
    if commands and help_of(program, [commands[0].name["name"]]).usage != said.usage:
        out.append(".SH EACH COMMAND")
        write_commands(program, [], commands, out)
    out.append(FILES.get(name, "").strip())
    out.append(".SH SEE ALSO")
    others = [(other, number) for other, number in SEE_ALSO.items() if other != name]
    out.append(", ".join(rf"\fB{roff(other)}\fR({number})" for other, number in others))
    return "\n".join(line for line in out if line) + "\n"


def main():
    program, name, section, version, out = sys.argv[1:]
    pathlib.Path(out).write_text(page(program, name, section, version), encoding="utf-8")


if __name__ == "__main__":
    main()
