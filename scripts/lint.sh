#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Checks formatting, layering, scripts and the API, and the C++ code with clang-tidy. Changes nothing.
#
#   scripts/lint.sh [--build DIR] [--fast]      --fast omits clang-tidy
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

build=build
fast=
while [[ $# -gt 0 ]]; do
  case $1 in
    --build)
      build=${2:?--build needs a directory}
      shift 2
      ;;
    --fast)
      fast=1
      shift
      ;;
    *)
      echo "lint.sh: '$1' is not known: [--build DIR] [--fast]" >&2
      exit 2
      ;;
  esac
done

scripts/install_packages.sh build lint

# Files of the working tree that match, without those that git ignores.
ours() {
  git -c safe.directory='*' ls-files -co --exclude-standard -- "$@" | while read -r path; do
    [[ ! -f $path ]] || echo "$path"
  done
}

status=0
step() {
  local name=$1
  shift
  if "$@"; then
    echo "lint: $name: good"
  else
    echo "lint: $name: FAILED" >&2
    status=1
  fi
}

check_format() { ours '*.h' '*.cc' '*.inl' | xargs -r clang-format-14 --dry-run --Werror; }
# SC2317: shellcheck does not see calls of functions by name, such as those of step().
check_scripts() { ours '*.sh' .ci/run | xargs -r shellcheck --exclude=SC2317; }
check_python() { ours '*.py' | xargs -r pyflakes3; }
check_python_format() { ours '*.py' | xargs -r black --check --quiet --diff; }
# Where neither buf nor npm is, the API is not checked, and a line says so.
check_api() { scripts/api_check.sh || [[ $? == 77 ]]; }
check_code() {
  # clang-tidy needs the generated headers.
  [[ -f $build/build.ninja ]] || meson setup "$build" || return
  ninja -C "$build" -t targets all | sed -n 's/^\(.*\.pb\.h\): .*/\1/p' |
    xargs -r ninja -C "$build" --quiet || return
  scripts/clang_tidy.py "$build"
}

step format check_format
step layering scripts/layering.py
step scripts check_scripts
step python check_python
step 'python format' check_python_format
step API check_api
[[ -n $fast ]] || step clang-tidy check_code
exit "$status"
