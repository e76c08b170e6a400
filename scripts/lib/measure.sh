# SPDX-License-Identifier: BSD-3-Clause
# Shared by the measuring scripts. Sourced after usage() is defined.
# shellcheck shell=bash

# take_arguments FLAGS VALUES WORDS "$@": parses the command line into `build` (--build DIR) and
# `arguments` (the rest). Options in FLAGS have no value, those in VALUES have one. WORDS is "words"
# if other words are allowed. Exits after -h and after anything unknown.
take_arguments() {
  local flags=" $1 " values=" --build $2 " words=$3 name
  name=$(basename "$0")
  shift 3
  build=build
  arguments=()
  while [ $# -gt 0 ]; do
    if [ "$1" = -h ] || [ "$1" = --help ]; then
      usage
      exit 0
    elif [[ $flags == *" $1 "* ]]; then
      arguments+=("$1")
    elif [[ $values == *" $1 "* ]]; then
      if [ -z "${2:-}" ]; then
        echo "$name: $1 needs a value" >&2
        exit 2
      fi
      if [ "$1" = --build ]; then build=$2; else arguments+=("$1" "$2"); fi
      shift
    elif [ "$words" = words ] && [[ $1 != -* ]]; then
      arguments+=("$1")
    else
      echo "$name: unknown option $1" >&2
      usage >&2
      exit 2
    fi
    shift
  done
}

# build_targets TARGET...: builds in the directory `build`, which is set up if it does not exist.
build_targets() {
  if [ ! -f "$build/build.ninja" ]; then meson setup "$build"; fi
  ninja -C "$build" "$@"
}
