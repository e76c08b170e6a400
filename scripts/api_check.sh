#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Checks the .proto files with buf: its standard lint rules, and that nothing that a client of the
# baseline relies on has changed or gone.
#
#   scripts/api_check.sh [--accept] [DIR]
#
#   DIR       the .proto files' root [include]
#   --accept  makes the API as it is the baseline, scripts/api_baseline.binpb: at a release, so that
#             what it added is kept as well
#
# buf is taken from PATH, else from npm, once, into .cache/buf. Exit codes: 0 good, 1 findings, 2
# usage, 77 there is no buf to be had.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=1.75.0
baseline=$PWD/scripts/api_baseline.binpb
accept=
dir=include
while [[ $# -gt 0 ]]; do
  case $1 in
    --accept) accept=1 ;;
    -h | --help)
      sed -n '3,13s/^# \{0,1\}//p' scripts/api_check.sh
      exit 0
      ;;
    -*)
      echo "api_check.sh: '$1' is not known (see --help)" >&2
      exit 2
      ;;
    *) dir=$1 ;;
  esac
  shift
done

find_buf() {
  local cache=$PWD/.cache/buf
  local local_buf=$cache/node_modules/@bufbuild/buf-linux-x64/bin/buf
  if command -v buf; then return; fi
  if [[ ! -x $local_buf ]]; then
    command -v npm >/dev/null || return 1
    mkdir -p "$cache"
    # Its install script only looks for the binary, which is a package of its own.
    timeout 120 npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$cache" \
      "@bufbuild/buf@$version" >/dev/null 2>&1 || return 1
  fi
  [[ -x $local_buf ]] && echo "$local_buf"
}
buf=$(find_buf) || {
  echo "api_check.sh: the API is not checked: neither buf nor npm with @bufbuild/buf is there" >&2
  exit 77
}

cd "$dir"
config='{"version":"v2","lint":{"use":["STANDARD"]},"breaking":{"use":["FILE"]}}'
if [[ -n $accept ]]; then
  "$buf" build --config "$config" --exclude-source-info -o "$baseline"
  echo "the baseline is now the API as it is"
  exit 0
fi
status=0
"$buf" lint --config "$config" || status=1
"$buf" breaking --config "$config" --against "$baseline" || status=1
[[ $status != 0 ]] || echo "API: lint is good, and clients of the baseline still work"
exit "$status"
