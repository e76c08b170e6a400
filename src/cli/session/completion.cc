// SPDX-License-Identifier: BSD-3-Clause
// Walks a command line as CLI11 would, as far as it has been written.
#include "cli/session/completion.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "absl/strings/str_split.h"

namespace drip::cli {
namespace {

// What the type of a flag does not say: the words of its value.
const std::map<std::string_view, std::string_view>& words_of_flags() {
  static constexpr std::string_view kProtocols =
      "arp babel bfd bgp bridge cdp cfm dhcp dhcpv6 eapol eigrp glbp hsrp igmp isis lacp ldp lldp "
      "mld nd ospf pim ppp pppoe ptp pvst rip rsvp too-big vrrp";
  static const std::map<std::string_view, std::string_view> words = {
      {"--by", "vlan inner-vlan port"},
      {"--ether-type", "ipv4 ipv6 arp mpls"},
      {"--except", kProtocols},
      {"--isolate", "flow source destination hosts"},
      {"--only", kProtocols},
      {"--overflow", "shared drop pass default"},
      {"--per-flow", "five-tuple source destination source-mac destination-mac link"},
      {"--proto", "tcp udp sctp icmp icmpv6 gre esp ospf"},
      {"--role", "read operate admin"},
      {"--sort", "id rate use units backlog p50 p99 loss"},
      {"--tcp-flags", "fin syn rst psh ack urg ece cwr"},
  };
  return words;
}

// Of a flag or a positional argument whose values are names: the command that lists them.
std::string_view command_of_names(const CLI::App& command, std::string_view argument) {
  static const std::map<std::string_view, std::string_view> commands = {
      {"--bucket", "bucket"}, {"--parent", "bucket"},   {"--port", "port"},
      {"--rule", "rule"},     {"--list", "list"},       {"--src-list", "list"},
      {"--dst-list", "list"}, {"--context", "context"}, {"bucket", "bucket"},
      {"root", "bucket"},     {"rule", "rule"},         {"list", "list"},
      {"node", "cluster"},
  };
  const CLI::App* const parent = command.get_parent();
  if (argument == "name" && parent != nullptr && parent->get_name() == "context") return "context";
  const auto found = commands.find(argument);
  return found == commands.end() ? std::string_view{} : found->second;
}

std::string on_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

// A flag of the command, or of one above it.
const CLI::Option* find_flag(const CLI::App* command, const std::string& name) {
  for (; command != nullptr; command = command->get_parent()) {
    if (const CLI::Option* const option = command->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

// Flags that are in --help, with those of option groups; each group has a --help of its own.
void add_flags(const CLI::App& command, std::vector<Completion::Word>& into) {
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) {
      const std::string word = "--" + name;
      const bool known =
          std::any_of(into.begin(), into.end(), [&](const auto& one) { return one.word == word; });
      if (!known) into.push_back({word, on_one_line(option->get_description())});
    }
  }
  for (const CLI::App* group : command.get_subcommands({})) {
    if (group->get_name().empty()) add_flags(*group, into);
  }
}

void add_subcommands(const CLI::App& command, std::vector<Completion::Word>& into) {
  for (const CLI::App* subcommand : command.get_subcommands({})) {
    if (subcommand->get_name().empty()) continue;  // An option group.
    into.push_back({subcommand->get_name(), on_one_line(subcommand->get_description())});
  }
}

// A type such as fifo|fair is the words that there are.
bool is_choice(std::string_view type) {
  return type.find('|') != std::string_view::npos &&
         type.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-|") == std::string_view::npos;
}

// The words of a line that are read already.
struct Walk {
  const CLI::App* command;
  std::size_t positionals = 0;           // Of the command.
  const CLI::Option* pending = nullptr;  // The last one is this flag's value.
  std::vector<std::string> server;       // Flags that say which server is meant.
};

bool says_server(std::string_view flag) {
  return flag == "--server" || flag == "--context" || flag == "--token-file" ||
         flag.substr(0, 5) == "--tls";
}

Walk walk(const CLI::App& dripctl, const std::vector<std::string>& words) {
  Walk at;
  at.command = &dripctl;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (word.size() > 1 && word[0] == '-') {
      const std::string flag = word.substr(0, word.find('='));
      const CLI::Option* const option = find_flag(at.command, flag);
      if (option == nullptr) continue;
      if (says_server(flag)) at.server.push_back(word);
      if (!takes_value(*option) || flag.size() < word.size()) continue;
      if (i + 2 == words.size()) {
        at.pending = option;
        return at;
      }
      ++i;
      if (says_server(flag)) at.server.push_back(words[i]);
      continue;
    }
    const auto next = at.command->get_subcommands(
        [&](const CLI::App* candidate) { return candidate->get_name() == word; });
    if (next.empty() || word.empty()) {
      ++at.positionals;
    } else {
      at.command = next.front();
      at.positionals = 0;
    }
  }
  return at;
}

const CLI::Option* positional(const CLI::App& command, std::size_t number) {
  const auto all =
      command.get_options([](const CLI::Option* option) { return option->get_positional(); });
  if (number < all.size()) return all[number];
  return !all.empty() && all.back()->get_items_expected_max() > 1 ? all.back() : nullptr;
}

void add_values(const Walk& at, const CLI::Option& option, Completion& into) {
  const std::string name =
      option.get_lnames().empty() ? option.get_name() : "--" + option.get_lnames().front();
  const std::string type = option.get_type_name();
  std::vector<std::string> words;
  if (const auto found = words_of_flags().find(name); found != words_of_flags().end()) {
    words = absl::StrSplit(std::string(found->second), ' ');
  } else if (is_choice(type)) {
    words = absl::StrSplit(type, '|');
  } else if (name == "bucket" && at.command->get_name() == "default") {
    words = {"pass"};
  }
  for (const std::string& word : words) into.words.push_back({word, ""});
  into.files = name == "file" || name == "packet" || type == "FILE" || type == "DIR";
  const std::string_view command = command_of_names(*at.command, name);
  if (command.empty()) return;
  into.names_from = at.server;
  for (const std::string_view word :
       {std::string_view("--timeout"), std::string_view("1s"), command,
        std::string_view(command == "cluster" ? "status" : "list"), std::string_view("--names")}) {
    into.names_from.emplace_back(word);
  }
}

}  // namespace

Completion complete(const CLI::App& dripctl, const std::vector<std::string>& words) {
  Completion result;
  if (words.empty()) return result;
  const Walk at = walk(dripctl, words);
  const std::string& last = words.back();
  if (at.pending != nullptr) {
    add_values(at, *at.pending, result);
  } else if (last.size() > 2 && last[0] == '-' && last.find('=') != std::string::npos) {
    const CLI::Option* const option = find_flag(at.command, last.substr(0, last.find('=')));
    if (option != nullptr && takes_value(*option)) add_values(at, *option, result);
  } else if (!last.empty() && last[0] == '-') {
    add_flags(*at.command, result.words);
    if (at.command != &dripctl) add_flags(dripctl, result.words);
  } else if (at.positionals == 0 && !at.command->get_subcommands({}).empty()) {
    add_subcommands(*at.command, result.words);
  }
  if (result.words.empty() && at.pending == nullptr && (last.empty() || last[0] != '-')) {
    const CLI::Option* const option = positional(*at.command, at.positionals);
    if (option != nullptr) add_values(at, *option, result);
  }
  return result;
}

}  // namespace drip::cli
