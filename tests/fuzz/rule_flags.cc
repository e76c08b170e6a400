// SPDX-License-Identifier: BSD-3-Clause
// Any command line of `dripctl rule add`, a word a line: the rule that it makes is refused by the
// node with its field's name, or is accepted and written as it was read, and can be said in words.
#include "cli/fields/rule_flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/text.h"
#include "cli/fields/rule_text.h"
#include "control/convert/convert_rule.h"
#include "fuzz/support/byte_source.h"
#include "fuzz/support/fuzz_target.h"

namespace drip::fuzz {
namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty() && words.size() < 100) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

// The flags write into `kept`, which is emptied where it is.
void clear_but(google::protobuf::Message& message, const std::string& kept) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const google::protobuf::FieldDescriptor* const field : fields) {
    if (field->name() == kept) {
      reflection.MutableMessage(&message, field)->Clear();
    } else {
      reflection.ClearField(&message, field);
    }
  }
}

v1::Rule written(const control::RuleSpec& spec) {
  v1::Rule rule;
  control::write_rule(spec, rule);
  return rule;
}

void check_rule(const v1::Rule& rule) {
  require(!cli::match_in_words(rule.match()).empty(), "a match can be said in words");
  require(!cli::action_in_words(rule).empty(), "an action can be said in words");
  const auto spec = control::read_rule(rule, "rule.");
  if (!spec.ok()) {
    require(message_of(spec.status()).starts_with("rule."), "an error begins with the field");
    return;
  }
  const v1::Rule once = written(*spec);
  const auto again = control::read_rule(once, "rule.");
  require(again.ok(), "what the node writes it accepts");
  require(again->match == spec->match && again->src_prefixes == spec->src_prefixes &&
              again->dst_prefixes == spec->dst_prefixes && again->src_list == spec->src_list &&
              again->dst_list == spec->dst_list && again->ingress_port == spec->ingress_port,
          "a rule that is written matches what it has matched");
  require(written(*again).SerializeAsString() == once.SerializeAsString(),
          "a rule is written as it was read");
  require(cli::action_in_words(once) == cli::action_in_words(written(*again)),
          "and said in the same words");
}

}  // namespace

std::vector<std::string> seeds() {
  return {
      "web\n--dport\n443\n--proto\ntcp\n--bucket\nweb",
      "r\n--src\n192.0.2.0/24,2001:db8::/32\n--dst-list\nours\n--pass",
      "r\n--ether-type\n0x0806\n--vlan\n5\n--inner-vlan\n6\n--drop",
      "r\n--icmp\n3/4\n--inner\n--src-mac\n02:00:00:00:00:00/24\n--drop",
      "r\n--tcp-flags\nsyn,-ack\n--sport\n1000-2000\n--set-dscp\naf41\n--pass",
      "r\n--priority\n-5\n--dscp\nef\n--port\nlan\n--bucket\na",
      "r\n--per-flow\nsource\n--prefix4\n24\n--prefix6\n64\n--max-flows\n100\n--rate\n1mbit\n"
      "--capacity\n10\n--idle-timeout\n5s\n--overflow\ndrop\n--by\nvlan,port",
      "r\n--per-flow\nfive-tuple\n--max-flows\n10\n--rate\n10kpps\n--capacity\n5\n--queue\nfair\n"
      "--aqm\ncodel\n--inner-key\n--parent\nup\n--guarantee\n1/s\n--weight\n3",
      "r\n--per-flow\nlink\n--by\ninner-vlan\n--max-flows\n5\n--rate\n1/h\n--capacity\n1\n"
      "--burst\n20ms\n--overhead\n-4\n--min-frame\n64\n--departure\nend"};
}

}  // namespace drip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip;        // NOLINT(google-build-using-namespace)
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  // To make the flags takes a hundred times as long as to parse a line.
  static CLI::App app("dripctl", "dripctl");
  static const std::shared_ptr<cli::RuleFlags> kFlags = [] {
    // As in dripctl: without it CLI11 may never return from an option that it does not know.
    app.fallthrough();
    app.set_help_flag();
    return cli::add_rule_flags(app.add_subcommand("add"));
  }();
  clear_but(kFlags->rule, "match");
  clear_but(kFlags->flows, "bucket");
  std::vector<std::string> words = words_of(text_of({data, size}));
  words.insert(words.begin(), "add");
  // CLI11 takes them from the end.
  std::reverse(words.begin(), words.end());
  try {
    app.parse(words);
  } catch (const CLI::ParseError&) {
    return 0;
  }
  check_rule(kFlags->complete());
  return 0;
}
