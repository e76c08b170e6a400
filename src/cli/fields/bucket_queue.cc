// SPDX-License-Identifier: BSD-3-Clause
// Queues, AQMs and tins as flags and as text.
#include "cli/fields/bucket_queue.h"

#include <fmt/format.h>

#include <chrono>
#include <limits>
#include <string>

#include "base/quantity.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

using Queue = std::function<v1::QueueConfig&()>;

constexpr Choice<v1::QueueKind> kKinds[] = {{"fifo", v1::QUEUE_KIND_FIFO},
                                            {"fair", v1::QUEUE_KIND_FAIR}};
constexpr Choice<v1::Isolation> kIsolations[] = {{"flow", v1::ISOLATION_FLOW},
                                                 {"source", v1::ISOLATION_SOURCE},
                                                 {"destination", v1::ISOLATION_DESTINATION},
                                                 {"hosts", v1::ISOLATION_HOSTS}};
constexpr Choice<v1::Aqm> kAqms[] = {
    {"none", v1::AQM_NONE}, {"codel", v1::AQM_CODEL}, {"dualpi2", v1::AQM_DUALPI2}};
constexpr Choice<v1::Tins> kTins[] = {
    {"none", v1::TINS_NONE}, {"diffserv3", v1::TINS_DIFFSERV3}, {"diffserv4", v1::TINS_DIFFSERV4}};

template <typename Value, std::size_t kCount>
std::string name_of(Value value, const Choice<Value> (&choices)[kCount]) {
  for (const Choice<Value>& choice : choices) {
    if (choice.value == value) return std::string(choice.word);
  }
  return std::string(choices[0].word);
}

std::string span_in_words(std::uint64_t ns) {
  return format_duration(std::chrono::nanoseconds(ns));
}

void add_span(CLI::App* app, const char* flag, const char* help, const Queue& queue,
              void (v1::QueueConfig::*set)(std::uint64_t)) {
  add_parsed(
      app, flag, "DURATION", help, [](std::string_view text) { return parse_duration(text); },
      [queue, set](std::chrono::nanoseconds span) {
        (queue().*set)(static_cast<std::uint64_t>(span.count()));
      });
}

}  // namespace

void add_queue_settings(CLI::App* app, const Queue& queue) {
  add_parsed(
      app, "--queue", "fifo|fair", "How packets wait: in their order, or a queue for each flow",
      [](std::string_view text) { return parse_choice(text, kKinds); },
      [queue](v1::QueueKind kind) { queue().set_kind(kind); });
  add_parsed(
      app, "--isolate", "WHAT",
      "What a fair queue is fair to: flow, source, destination, or hosts (both sides, and the\n"
      "flows of each)",
      [](std::string_view text) { return parse_choice(text, kIsolations); },
      [queue](v1::Isolation isolate) { queue().set_isolate(isolate); });
  add_parsed(
      app, "--aqm", "none|codel|dualpi2", "Active queue management; dualpi2 with --queue fifo only",
      [](std::string_view text) { return parse_choice(text, kAqms); },
      [queue](v1::Aqm aqm) { queue().set_aqm(aqm); });
  add_span(app, "--target", "The wait that the AQM puts up with; 0: its default", queue,
           &v1::QueueConfig::set_target_ns);
  add_span(app, "--interval", "Of codel: the longest usual round-trip time", queue,
           &v1::QueueConfig::set_interval_ns);
  add_span(app, "--l4s-threshold", "ECT(1) is marked beyond this wait", queue,
           &v1::QueueConfig::set_l4s_threshold_ns);
  add_parsed(
      app, "--tins", "none|diffserv3|diffserv4",
      "DiffServ tins, as CAKE has them: each has priority up to a share",
      [](std::string_view text) { return parse_choice(text, kTins); },
      [queue](v1::Tins tins) { queue().set_tins(tins); });
  app->add_flag_callback(
      "--wash", [queue] { queue().set_wash(true); },
      "Packets lose their DSCP once it has chosen their tin");
  app->add_flag_callback(
      "--no-wash", [queue] { queue().set_wash(false); }, "They keep it");
  add_parsed(
      app, "--quantum", "SIZE", "Of a fair queue: wire bytes of a flow a turn",
      [](std::string_view text) -> Parsed<std::uint64_t> {
        const auto bytes = parse_bytes(text);
        if (bytes && *bytes > std::numeric_limits<std::uint32_t>::max()) {
          return not_allowed<std::uint64_t>(text, "64 to 65535 bytes");
        }
        return bytes;
      },
      [queue](std::uint64_t bytes) {
        queue().set_quantum_bytes(static_cast<std::uint32_t>(bytes));
      });
  add_span(app, "--max-wait", "Packets that have waited for longer are dropped; 0: none", queue,
           &v1::QueueConfig::set_max_wait_ns);
}

std::string queue_in_words(const v1::QueueConfig& config) {
  std::string words = name_of(config.kind(), kKinds);
  if (config.kind() == v1::QUEUE_KIND_FAIR) {
    words += " by " + name_of(config.isolate(), kIsolations);
    words += fmt::format(", quantum {}", format_bytes(config.quantum_bytes()));
  }
  if (config.aqm() == v1::AQM_CODEL || config.aqm() == v1::AQM_DUALPI2) {
    words += ", " + name_of(config.aqm(), kAqms);
    const bool codel = config.aqm() == v1::AQM_CODEL;
    constexpr std::uint64_t kMillisecond = 1'000'000;
    const std::uint64_t target = config.target_ns() != 0 ? config.target_ns()
                                 : codel                 ? 5 * kMillisecond
                                                         : 15 * kMillisecond;
    words += " " + span_in_words(target);
    if (codel) words += "/" + span_in_words(config.interval_ns());
    words += fmt::format(", l4s {}", span_in_words(config.l4s_threshold_ns()));
  }
  if (config.tins() != v1::TINS_NONE && config.tins() != v1::TINS_UNSPECIFIED) {
    words += ", " + name_of(config.tins(), kTins);
  }
  if (config.wash()) words += ", wash";
  if (config.max_wait_ns() != 0) words += ", max wait " + span_in_words(config.max_wait_ns());
  return words;
}

void add_queue_properties(const v1::Bucket& bucket, Properties* properties) {
  if (bucket.config().has_queue()) {
    properties->add("discipline", queue_in_words(bucket.config().queue()));
  }
  if (!bucket.has_queue()) return;
  const v1::QueueStats& stats = bucket.queue();
  properties->add("flows", fmt::format("{}", stats.flows()));
  properties->add("marks", fmt::format("{}", stats.marks()));
  properties->add("queue drops",
                  fmt::format("overflow {}, AQM {}, max wait {}", stats.overflow_drops(),
                              stats.aqm_drops(), stats.max_wait_drops()));
}

}  // namespace drip::cli
