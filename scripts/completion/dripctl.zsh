#compdef dripctl
# SPDX-License-Identifier: BSD-3-Clause
# Completion of dripctl in zsh. What may follow says `dripctl __complete`, out of the declarations
# that --help is made of; it asks the server of the line for names, one second at most.
# Installed for zsh; by hand: `dripctl completion zsh > _dripctl` in a directory of $fpath.

_dripctl() {
  local found help
  local -a lines candidates
  lines=("${(@f)$("${words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  [[ ${words[CURRENT]} == --*=* ]] && compset -P '*='
  for found in "${lines[@]}"; do
    if [[ $found == :files ]]; then
      _files
    elif [[ -n $found ]]; then
      help=${found#*$'\t'}
      [[ $help == "$found" ]] && help=
      candidates+=("${${found%%$'\t'*}//:/\\:}${help:+:$help}")
    fi
  done
  (( ${#candidates} )) && _describe dripctl candidates
}

_dripctl "$@"
