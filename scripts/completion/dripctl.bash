# SPDX-License-Identifier: BSD-3-Clause
# Completes dripctl's commands, subcommands and flags, and the names of buckets, rules, ports and
# nodes.
# Installed for bash-completion; by hand: `. scripts/completion/dripctl.bash`.
# shellcheck shell=bash

# Prints the names of all buckets, rules, ports or nodes of the server; nothing if it does not
# answer.
_dripctl_names() {
  local subcommand=list
  [[ $2 == cluster ]] && subcommand=status
  "$1" "${@:3}" --timeout 1s "$2" "$subcommand" --names 2>/dev/null
}

_dripctl_contexts() {
  "$1" context list --names 2>/dev/null
}

_dripctl() {
  local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} previous=
  ((COMP_CWORD > 0)) && previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' subcommand='' words='' word i skip=0
  local -a server=()

  # Command and subcommand are the first two words before the cursor that are no flags.
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((skip)); then
      skip=0
    elif [[ $word =~ ^--(server|timeout|context|tls-(ca|cert|key|server-name)|token-file)$ ||
      ($command == doctor && $word == --?*) ]]; then
      skip=1
    elif [[ $word == -* ]]; then
      :
    elif [[ -z $command ]]; then
      command=$word
    elif [[ -z $subcommand ]]; then
      subcommand=$word
    fi
  done
  # bash splits an address at its colon, so --server is taken from the whole line.
  if [[ $COMP_LINE =~ --server[=\ ]+([^ ]+) ]]; then
    server=(--server "${BASH_REMATCH[1]}")
  fi

  case $previous in
    --departure) words='start end' ;;
    --scope) words='node cluster' ;;
    --sharing) words='exact split' ;;
    --on-failure) words='closed safe-share last-share open' ;;
    --overflow) words='shared drop pass default' ;;
    --except | --only)
      words='arp babel bfd bgp bridge cdp cfm dhcp dhcpv6 eapol eigrp glbp hsrp igmp isis lacp ldp
        lldp mld nd ospf pim ppp pppoe ptp pvst rip rsvp too-big vrrp'
      ;;
    --per-flow) words='five-tuple source destination source-mac destination-mac link' ;;
    --by) words='vlan inner-vlan port' ;;
    --tcp-flags) words='fin syn rst psh ack urg ece cwr' ;;
    --src-list | --dst-list) words=$(_dripctl_names "$program" list "${server[@]}") ;;
    --proto) words='tcp udp sctp icmp icmpv6 gre esp ospf' ;;
    --ether-type) words='ipv4 ipv6 arp mpls' ;;
    --role) words='read operate admin' ;;
    --file | --tls-ca | --tls-cert | --tls-key | --token-file)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --context) words=$(_dripctl_contexts "$program") ;;
    --queue) words='fifo fair' ;;
    --isolate) words='flow source destination hosts' ;;
    --aqm) words='none codel dualpi2' ;;
    --tins) words='none diffserv3 diffserv4' ;;
    --sort) words='id rate use units backlog p50 p99 loss' ;;
    --bucket | --parent) words=$(_dripctl_names "$program" bucket "${server[@]}") ;;
    --port) words=$(_dripctl_names "$program" port "${server[@]}") ;;
    --rate | --capacity | --capacity-bytes | --overhead | --min-frame | --max-catchup | --id | \
      --bytes | --interval | --count | --rows | --filter | --prefix | --prefix4 | --prefix6 | --max-flows | \
      --idle-timeout | --priority | --src | --dst | --sport | --dport | --vlan | --inner-vlan | \
      --icmp | --src-mac | --dst-mac | --set-dscp | --guarantee | --tolerance | --target | \
      --l4s-threshold | --quantum | --max-wait | --remember | \
      --cpus | --interface | --mbufs | --pid | \
      --dscp | --decide-within | --safe-reserve | --weight | --if-revision | --server | \
      --timeout | --expires | --tls-server-name) return ;;
    *)
      if [[ $current == -* || -z $command || -z $subcommand ]]; then
        words=$("$program" __words ${command:+"$command"} ${subcommand:+"$subcommand"} 2>/dev/null)
        # Flags only for a word that begins with a dash; otherwise subcommands.
        [[ $current == -* ]] || words=$(grep -v '^-' <<<"$words")
      else
        case $command/$subcommand in
          bucket/list | token/*) ;;
          context/use | context/show) words=$(_dripctl_contexts "$program") ;;
          bucket/* | request/*) words=$(_dripctl_names "$program" bucket "${server[@]}") ;;
          cluster/forget) words=$(_dripctl_names "$program" cluster "${server[@]}") ;;
          rule/default) words="pass $(_dripctl_names "$program" bucket "${server[@]}")" ;;
          list/list) ;;
          list/*) words=$(_dripctl_names "$program" list "${server[@]}") ;;
          rule/delete | rule/add) words=$(_dripctl_names "$program" rule "${server[@]}") ;;
          rule/set)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
        esac
      fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _dripctl dripctl
