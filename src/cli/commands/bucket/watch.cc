// SPDX-License-Identifier: BSD-3-Clause
// `bucket watch`: rates of buckets, computed from the counters of successive states.
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/quantity.h"
#include "cli/commands/bucket/plot.h"
#include "cli/commands/commands.h"
#include "cli/fields/bucket_settings.h"
#include "cli/fields/rate_meter.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"
#include "cli/session/interruption.h"

namespace drip::cli {
namespace {

// One line of JSON for each interval, so that programs can read line by line.
void print_json(const v1::WatchBucketsResponse& states, RateMeter* meter) {
  nlohmann::ordered_json json = to_json(states);
  for (int i = 0; i < states.buckets_size(); ++i) {
    const auto rates = meter->update(states.buckets(i), states.monotonic_ns());
    if (!rates) continue;
    nlohmann::ordered_json& bucket = json["buckets"][static_cast<std::size_t>(i)];
    bucket["arrived_per_second"] = rates->arrived_per_second;
    bucket["rejected_per_second"] = rates->rejected_per_second;
    bucket["processed_per_second"] = rates->processed_per_second;
    bucket["processed_bps"] = rates->processed_bps;
  }
  print_line(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void print_table(const v1::WatchBucketsResponse& states, RateMeter* meter, bool with_titles) {
  Table table({{"TIME", Table::Align::kLeft, 12},
               {"BUCKET", Table::Align::kLeft, 16},
               {"QUEUE", Table::Align::kRight, 7},
               {"ARRIVED", Table::Align::kRight, 9},
               {"REJECTED", Table::Align::kRight, 9},
               {"PROCESSED", Table::Align::kRight, 9},
               {"BITS", Table::Align::kRight, 10}});
  for (const v1::Bucket& bucket : states.buckets()) {
    const auto rates = meter->update(bucket, states.monotonic_ns());
    const auto units = [&](double Rates::*rate) {
      return rates ? format_unit_rate((*rates).*rate, 4) : std::string("-");
    };
    table.add({format_time_of_day(states.time()), bucket.bucket_id(),
               fmt::format("{}", bucket.queue_size()), units(&Rates::arrived_per_second),
               units(&Rates::rejected_per_second), units(&Rates::processed_per_second),
               rates ? format_bit_rate(rates->processed_bps, 4) : "-"});
  }
  table.print(with_titles);
}

Exit watch(Session& session, const v1::WatchBucketsRequest& request, std::uint64_t count) {
  constexpr std::uint64_t kIntervalsBetweenTitles = 20;
  const sigset_t signals = block_interrupts();
  grpc::ClientContext context;
  Interruption interruption(signals, &context);
  const auto stream = session.connection.shaper(&context).WatchBuckets(&context, request);
  RateMeter meter;
  v1::WatchBucketsResponse states;
  bool open = stream->Read(&states);
  // The first interval begins with the first state.
  for (const v1::Bucket& bucket : states.buckets()) meter.update(bucket, states.monotonic_ns());
  for (std::uint64_t interval = 0; open && interval != count; ++interval) {
    open = stream->Read(&states);
    if (!open) break;
    if (session.json) {
      print_json(states, &meter);
    } else {
      // For one bucket the lines form one table; several buckets form a table for each interval.
      print_table(states, &meter,
                  states.buckets_size() != 1 || interval % kIntervalsBetweenTitles == 0);
    }
    // The reader closed the pipe, or the disk is full. main() reports it.
    if (std::fflush(stdout) != 0) break;
  }
  // Cancelling a stream that the server has ended would hide its error.
  if (open) context.TryCancel();
  const grpc::Status status = stream->Finish();
  if (!open && !interruption.happened()) session.connection.check(status);
  return Exit::kOk;
}

}  // namespace

void add_bucket_watch(CommandLine* line, CLI::App* bucket) {
  auto request = std::make_shared<v1::WatchBucketsRequest>();
  auto count = std::make_shared<std::uint64_t>(kUnbounded);
  auto plot = std::make_shared<bool>(false);
  CLI::App* subcommand = line->add_subcommand(
      bucket, "watch", "Rates of buckets over each interval, until interrupted",
      {"bucket watch", "bucket watch web dns --interval 500ms",
       "bucket watch --prefix cust- --count 10", "bucket watch web --plot",
       "bucket watch web --json | jq .buckets[0].processed_bps"},
      [request, count, plot](Session& session) {
        return *plot ? plot_bucket(session, *request, *count) : watch(session, *request, *count);
      });
  const std::shared_ptr<v1::BucketFilter> filter(request, request->mutable_filter());
  subcommand->add_option_function<std::vector<std::string>>(
      "bucket",
      [filter](const std::vector<std::string>& ids) {
        for (const std::string& id : ids) filter->add_bucket_ids(id);
      },
      "Names of buckets; all if none is given");
  add_bucket_filter(subcommand, filter);
  add_parsed(
      subcommand, "--interval", "DURATION", "Length of an interval, 100ms to 1h [1s]",
      [](std::string_view text) -> Parsed<std::chrono::nanoseconds> {
        const auto interval = parse_duration(text);
        // The API has a 32-bit number of milliseconds, of which 0 stands for the default.
        if (interval &&
            (interval->count() % 1'000'000 != 0 || *interval < std::chrono::milliseconds(100) ||
             *interval > std::chrono::hours(1))) {
          return not_allowed<std::chrono::nanoseconds>(text, "100ms to 1h in whole milliseconds");
        }
        return interval;
      },
      [request](std::chrono::nanoseconds interval) {
        request->set_interval_ms(static_cast<std::uint32_t>(interval.count() / 1'000'000));
      });
  add_count(subcommand, "Stop after N intervals", count);
  subcommand->add_flag("--plot", *plot,
                       "Of one bucket: its rate against its ceiling and its backlog, drawn");
}

}  // namespace drip::cli
