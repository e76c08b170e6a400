# SPDX-License-Identifier: BSD-3-Clause
# Completion of dripctl in bash. What may follow says `dripctl __complete`, out of the declarations
# that --help is made of; it asks the server of the line for names, one second at most.
# Installed for bash-completion; by hand: `. <(dripctl completion bash)`.
# shellcheck shell=bash

_dripctl() {
  local line=${COMP_LINE:0:${COMP_POINT:-${#COMP_LINE}}} current prefix
  local -a words found
  # bash splits at colons and equals signs, which addresses and flags have, so the line is split here.
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=${words[${#words[@]} - 1]}
  mapfile -t found < <("${words[0]}" __complete "${words[@]:1}" 2>/dev/null)
  [[ $current == --*=* ]] && current=${current#*=}
  COMPREPLY=()
  if [[ ${found[0]-} == :files ]]; then
    found=("${found[@]:1}")
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
  found=("${found[@]%%$'\t'*}")
  mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W "${found[*]}" -- "$current")
  # bash replaces only what is behind the last colon.
  if [[ $current == *:* && ${COMP_WORDBREAKS-} == *:* ]]; then
    prefix=${current%"${current##*:}"}
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
  fi
}

complete -F _dripctl dripctl
