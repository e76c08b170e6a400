#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Installs the missing packages of scripts/packages.txt: install_packages.sh [GROUP]... (all)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "install_packages.sh: $*" >&2
  exit 1
}

for group in "$@"; do
  grep -q "^$group " scripts/packages.txt || fail "no group '$group' in scripts/packages.txt"
done

missing=()
while read -r group package; do
  [[ -z $group || $group == '#' ]] && continue
  [[ $# -gt 0 && " $* " != *" $group "* ]] && continue
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  # A package may be installed for several architectures; one is enough.
  [[ $state == *installed* && $state != not-installed ]] || missing+=("$package")
done <scripts/packages.txt

[[ ${#missing[@]} -gt 0 ]] || exit 0
if [[ $EUID -ne 0 ]]; then
  fail "these packages are missing and only root can install them: ${missing[*]}"
fi

echo "Installing ${#missing[@]} missing packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
  "$@" >"$log" 2>&1 || {
    cat "$log" >&2
    fail "'$*' failed"
  }
}
# Packages of Redis start a service. Tests start their own servers, so it is started neither now nor
# at the next boot.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f "$log" "$policy"' EXIT
fi
quietly apt-get update -q
quietly apt-get install -q -y --no-install-recommends "${missing[@]}"
for package in "${missing[@]}"; do
  case $package in
    redis-server | redis-sentinel)
      if [[ -x $(command -v systemctl) ]]; then quietly systemctl disable "$package"; fi
      ;;
  esac
done
