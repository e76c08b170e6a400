// SPDX-License-Identifier: BSD-3-Clause
// The command `bucket traffic`: what samples of its packets tell of a bucket's traffic.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

std::string in_words(const v1::RoundTrips& trips) {
  if (trips.count() == 0) return "none measured";
  if (trips.recent_count() == 0) {
    return fmt::format("none in the last minute, {} before", trips.count());
  }
  return fmt::format("p50 {}, p90 {}, {} to {} ({} in the last minute)",
                     brief_duration(trips.recent_p50_ns()), brief_duration(trips.recent_p90_ns()),
                     brief_duration(trips.recent_min_ns()), brief_duration(trips.recent_max_ns()),
                     trips.recent_count());
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void print_text(const std::string& id, const v1::GetBucketTrafficResponse& traffic) {
  Properties properties;
  properties.add("bucket", id);
  properties.add("rtt to destination", in_words(traffic.to_destination()));
  properties.add("rtt to source", in_words(traffic.to_source()));
  properties.add("retransmitted",
                 fmt::format("{} of {} segments ({:.2f} %)", traffic.retransmitted_segments(),
                             traffic.segments(),
                             percent(traffic.retransmitted_segments(), traffic.segments())));
  properties.add("sampled", fmt::format("1 of {} TCP connections, 1 of {} packets",
                                        traffic.connections_one_in(), traffic.packets_one_in()));
  properties.print();
  if (traffic.flows().empty()) {
    print_line("\nno packets were sampled");
    return;
  }
  print_line(
      fmt::format("\nflows that sent most, over {}", brief_duration(traffic.measured_over_ns())));
  Table table({{"FLOW", Table::Align::kLeft}, {"AT LEAST"}, {"SHARE"}});
  for (const v1::TrafficFlow& flow : traffic.flows()) {
    const std::uint64_t sure = flow.bps() - std::min(flow.bps(), flow.overrated_bps());
    table.add({flow.flow(), format_bit_rate(static_cast<double>(sure), 4),
               fmt::format("{:.1f} %", percent(sure, traffic.bps()))});
  }
  table.print();
}

Exit show(Session& session, const v1::GetBucketTrafficRequest& request) {
  const v1::GetBucketTrafficResponse reply =
      session.connection.call(&Shaper::GetBucketTraffic, request);
  if (session.json) {
    print(reply);
  } else {
    print_text(request.bucket_id(), reply);
  }
  return Exit::kOk;
}

}  // namespace

void add_bucket_traffic(CommandLine* line, CLI::App* bucket) {
  auto request = std::make_shared<v1::GetBucketTrafficRequest>();
  CLI::App* command = line->add_subcommand(
      bucket, "traffic",
      "Round-trip times and retransmissions of its TCP, and the flows that send most",
      {"bucket traffic web", "bucket traffic per-host/10.0.0.7/32 --flows 3 --json"},
      [request](Session& session) { return show(session, *request); });
  add_bucket_id(command, request);
  add_parsed(
      command, "--flows", "N", "At most so many flows, 1 to 16 [10]",
      [](std::string_view text) { return parse_integer(text, 1, 16); },
      [request](std::int64_t flows) { request->set_max_flows(static_cast<std::uint32_t>(flows)); });
}

}  // namespace drip::cli
