// SPDX-License-Identifier: BSD-3-Clause
// The command `explain`: what would become of a packet, and why.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/fields/bucket_text.h"
#include "cli/fields/frame_text.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"
#include "cli/session/progress.h"

namespace drip::cli {
namespace {

constexpr std::size_t kMostFrames = 100'000;
constexpr int kVerdictsShown = 20;

struct Settings {
  std::string packet;
  std::string port;
  FlowFrame how;
  std::uint64_t count = 1000;  // Of a capture.
};

std::string fate_in_words(const v1::ExplainResponse& reply) {
  if (reply.is_protected()) return "passes: protected control traffic";
  switch (reply.fate_case()) {
    case v1::ExplainResponse::kBucketId:
      return "bucket " + reply.bucket_id();
    case v1::ExplainResponse::kFlowKey:
      return "bucket of flow " + reply.flow_key();
    case v1::ExplainResponse::kDrops:
      return "dropped";
    default:
      return "passes unshaped";
  }
}

std::string rule_in_words(const v1::ExplainResponse& reply) {
  if (reply.is_protected()) return "none is tried";
  return reply.rule_id().empty() ? "the default" : reply.rule_id();
}

std::string now_in_words(const v1::ExplainResponse& reply) {
  const std::string waits = fmt::format("{} wait there", reply.queue_size());
  if (reply.reject_reason() != v1::REJECT_REASON_UNSPECIFIED) {
    return fmt::format("rejected: {}; {}", reason_in_words(reply.reject_reason()), waits);
  }
  return fmt::format("admitted; {}, it would wait {}{}", waits,
                     reply.wait_is_estimate() ? "about " : "",
                     brief_duration(static_cast<std::uint64_t>(reply.estimated_wait_ns())));
}

void print_packet(const std::string& frame, const v1::ExplainResponse& reply) {
  std::string packet = fmt::format("{} bytes, {}", frame.size(), reply.flow());
  if (reply.fragment()) packet += ", a fragment";
  if (reply.has_vlan_id()) packet += fmt::format(", vlan {}", reply.vlan_id());
  if (reply.has_inner_vlan_id()) packet += fmt::format(", inner vlan {}", reply.inner_vlan_id());
  if (reply.has_dscp()) packet += fmt::format(", dscp {}", reply.dscp());
  Properties properties;
  properties.add("packet", packet);
  if (!reply.inner_flow().empty()) properties.add("inside of it", reply.inner_flow());
  properties.add("rule", rule_in_words(reply));
  if (reply.has_set_dscp()) properties.add("gets dscp", fmt::format("{}", reply.set_dscp()));
  properties.add("goes to", fate_in_words(reply));
  if (reply.ancestors_size() > 0) {
    properties.add("below", fmt::format("{}", fmt::join(reply.ancestors(), ", ")));
  }
  if (reply.wire_bytes() > 0)
    properties.add("is charged", fmt::format("{} bytes", reply.wire_bytes()));
  if (reply.fate_case() == v1::ExplainResponse::kBucketId) {
    properties.add("now", now_in_words(reply));
  }
  properties.print();
  if (reply.rules().empty()) return;
  print_line("");
  Table table({{"PRIORITY"}, {"RULE", Table::Align::kLeft}, {"MATCHES", Table::Align::kLeft}});
  const int first = std::max(0, reply.rules_size() - kVerdictsShown);
  for (int i = first; i < reply.rules_size(); ++i) {
    const v1::RuleVerdict& verdict = reply.rules(i);
    table.add({fmt::format("{}", verdict.priority()), verdict.rule_id(),
               verdict.mismatch().empty() ? "yes" : "no: " + verdict.mismatch()});
  }
  table.print();
  const std::uint64_t more = reply.rules_left_out() + static_cast<std::uint64_t>(first);
  if (more > 0)
    print_line(fmt::format("{} rules before these do not match (--json has more)", more));
}

v1::ExplainResponse ask(Session& session, const Settings& settings, const std::string& frame) {
  v1::ExplainRequest request;
  request.set_frame(frame);
  request.set_ingress_port(settings.port);
  return session.connection.call(&Shaper::Explain, request);
}

Exit explain_one(Session& session, const Settings& settings, const std::string& frame) {
  const v1::ExplainResponse reply = ask(session, settings, frame);
  if (session.json) {
    print(reply);
  } else {
    print_packet(frame, reply);
  }
  return Exit::kOk;
}

Exit explain_capture(Session& session, const Settings& settings) {
  const std::vector<std::string> frames = frames_of_capture(settings.packet, settings.count);
  Table table({{"FRAME"},
               {"BYTES"},
               {"FLOW", Table::Align::kLeft},
               {"RULE", Table::Align::kLeft},
               {"GOES TO", Table::Align::kLeft}});
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  std::optional<Progress> progress(std::in_place, "frames", frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const v1::ExplainResponse reply = ask(session, settings, frames[i]);
    progress->set_done(i + 1);
    if (session.json) {
      list.push_back(to_json(reply));
    } else {
      table.add({fmt::format("{}", i + 1), fmt::format("{}", frames[i].size()), reply.flow(),
                 rule_in_words(reply), fate_in_words(reply)});
    }
  }
  progress.reset();
  if (session.json) {
    nlohmann::ordered_json json;
    json["frames"] = std::move(list);
    print(json);
  } else {
    table.print();
  }
  return Exit::kOk;
}

Exit run(Session& session, const Settings& settings) {
  if (const auto frame = frame_of_hex(settings.packet))
    return explain_one(session, settings, *frame);
  if (std::filesystem::exists(settings.packet)) return explain_capture(session, settings);
  return explain_one(session, settings, frame_of_flow(settings.packet, settings.how));
}

}  // namespace

void add_explain_command(CommandLine* line) {
  CLI::App* command =
      line->add_command("explain", "What would become of a packet: which rule takes it, and why");
  auto settings = std::make_shared<Settings>();
  line->set_default_subcommand(command,
                               [settings](Session& session) { return run(session, *settings); });
  command->footer(
      "Examples:\n  dripctl explain '10.0.0.1:5000>198.51.100.7:443/tcp' --vlan 5\n"
      "  dripctl explain 0200000000020200000000010806 --port lan\n"
      "  dripctl explain capture.pcap --count 100");
  command
      ->add_option("packet", settings->packet,
                   "A flow, the hexadecimal digits of a frame, or a capture (pcap, pcapng)")
      ->required()
      ->type_name("FLOW|HEX|FILE");
  command->add_option("--port", settings->port, "The port by which it comes [the first one]")
      ->type_name("NAME");
  add_parsed(
      command, "--vlan", "N", "Of a flow: its VLAN id, 0 to 4095",
      [](std::string_view text) { return parse_integer(text, 0, 4095); },
      [settings](std::int64_t id) { settings->how.vlan_id = static_cast<std::uint16_t>(id); });
  add_parsed(
      command, "--dscp", "N", "Of a flow: its DSCP, 0 to 63 [0]",
      [](std::string_view text) { return parse_integer(text, 0, 63); },
      [settings](std::int64_t dscp) { settings->how.dscp = static_cast<std::uint8_t>(dscp); });
  add_parsed(
      command, "--size", "BYTES", "Of a flow: the length of its frame, 64 to 16384 [64]",
      [](std::string_view text) { return parse_integer(text, 64, 16384); },
      [settings](std::int64_t bytes) { settings->how.bytes = static_cast<std::uint32_t>(bytes); });
  add_parsed(
      command, "--count", "N", "Of a capture: so many frames at most [1000]",
      [](std::string_view text) {
        return parse_integer(text, 1, static_cast<std::int64_t>(kMostFrames));
      },
      [settings](std::int64_t count) { settings->count = static_cast<std::uint64_t>(count); });
}

}  // namespace drip::cli
