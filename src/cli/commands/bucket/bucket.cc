// SPDX-License-Identifier: BSD-3-Clause
// The command `bucket`: set, show, list, delete (watch and traffic are in files of their own).
#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/fields/bucket_place.h"
#include "cli/fields/bucket_queue.h"
#include "cli/fields/bucket_settings.h"
#include "cli/fields/bucket_sharing.h"
#include "cli/fields/bucket_text.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"
#include "cli/session/progress.h"

namespace drip::cli {
namespace {

// Over which `bucket show` measures a rate, and the longest time over which one is still of now.
constexpr std::chrono::milliseconds kMeasured(200);
constexpr std::chrono::seconds kLongestMeasured(5);

Exit set(Session& session, const v1::ConfigureBucketRequest& request) {
  const v1::ConfigureBucketResponse reply =
      session.connection.call(&RateLimiter::ConfigureBucket, request);
  if (session.json) {
    print(reply);
    return Exit::kOk;
  }
  const v1::BucketConfig& config = reply.bucket().config();
  print_line(fmt::format("bucket {} {}: {}, {}", reply.bucket().bucket_id(),
                         reply.created() ? "created" : "changed", rates_in_words(config),
                         config.inner() ? std::string("an inner node")
                                        : fmt::format("capacity {}", config.capacity())));
  print_warnings(reply.warnings());
  return Exit::kOk;
}

std::string true_rates(const v1::Bucket& bucket) {
  // For a split bucket the true rate is the node's share.
  const bool split =
      bucket.scope() == v1::SCOPE_CLUSTER && bucket.config().sharing() == v1::SHARING_SPLIT;
  const auto shown = [&](double rate) { return split ? four_digits(rate) : rate; };
  v1::BucketConfig truly;
  truly.set_leak_rate(shown(bucket.true_leak_rate()));
  truly.set_leak_rate_bps(shown(bucket.true_leak_rate_bps()));
  return rates_in_words(truly);
}

std::string rate_now(const v1::Bucket& bucket) {
  if (bucket.processed_requests() == 0) return "-";
  if (!bucket.has_measured_over_ns()) return "not measured yet";
  return fmt::format("{}, {:.0f} units/s, over {}", format_bit_rate(bucket.processed_bps(), 4),
                     bucket.processed_per_second(), brief_duration(bucket.measured_over_ns()));
}

void print_properties(const v1::Bucket& bucket) {
  const v1::BucketConfig& config = bucket.config();
  Properties properties;
  properties.add("bucket", bucket.bucket_id());
  if (!bucket.flow().empty()) {
    properties.add("flow", fmt::format("{} (rule {})", bucket.flow(), bucket.rule_id()));
  }
  properties.add("rate", rates_in_words(config));
  properties.add("true rate", true_rates(bucket));
  properties.add("rate now", rate_now(bucket));
  properties.add("capacity", fmt::format("{} units", config.capacity()));
  properties.add("capacity bytes",
                 config.capacity_bytes() == 0 ? "-" : format_bytes(config.capacity_bytes()));
  properties.add("accounting", fmt::format("overhead {}b, frames of at least {}b",
                                           config.overhead_bytes(), config.min_frame_bytes()));
  add_place_properties(bucket, &properties);
  properties.add("departure", departure_in_words(config.departure()));
  properties.add("max catchup", format_duration(std::chrono::nanoseconds(config.max_catchup_ns())));
  add_queue_properties(bucket, &properties);
  properties.add(
      "queue", fmt::format("{} units, {}", bucket.queue_size(), brief_bytes(bucket.queue_bytes())));
  properties.add("total", fmt::format("{}", bucket.total_requests()));
  properties.add("allowed", fmt::format("{} units, {}", bucket.allowed_requests(),
                                        brief_bytes(bucket.allowed_bytes())));
  properties.add("processed", fmt::format("{} units, {}", bucket.processed_requests(),
                                          brief_bytes(bucket.processed_bytes())));
  if (bucket.green_bytes() > 0) {
    properties.add("of that", fmt::format("{} within the guarantee, {} beyond it",
                                          brief_bytes(bucket.green_bytes()),
                                          brief_bytes(bucket.yellow_bytes())));
  }
  properties.add(
      "rejected",
      fmt::format("{} units, {} (full {}, full in bytes {}, draining {}, too long {}, "
                  "wait too long {})",
                  bucket.rejected_requests(), brief_bytes(bucket.rejected_bytes()),
                  bucket.rejected_full(), bucket.rejected_full_bytes(), bucket.rejected_draining(),
                  bucket.rejected_too_long(), bucket.rejected_wait_too_long()));
  properties.add("dropped", fmt::format("{} units", bucket.dropped_requests()));
  properties.add("last leak", format_time(bucket.last_leak_time()));
  properties.add("sojourn", histogram_in_words(bucket.sojourn()));
  properties.add("lateness", histogram_in_words(bucket.lateness()));
  properties.add("forfeited", brief_duration(bucket.forfeited_ns()));
  properties.add("transmitter",
                 bucket.moves() == 0
                     ? fmt::format("{}", bucket.transmitter())
                     : fmt::format("{}, after {} moves", bucket.transmitter(), bucket.moves()));
  properties.add("memory", fmt::format("{}, {} ring slots", brief_bytes(bucket.memory_bytes()),
                                       bucket.ring_slots()));
  properties.add("revision", fmt::format("{}", bucket.revision()));
  add_sharing_properties(bucket, &properties);
  properties.print();
}

// The state with a rate of now: a node that nobody asked lately has none yet.
v1::GetBucketStatusResponse measured(Session& session, const v1::GetBucketStatusRequest& request) {
  const auto read = [&] { return session.connection.call(&RateLimiter::GetBucketStatus, request); };
  const v1::GetBucketStatusResponse reply = read();
  const v1::Bucket& bucket = reply.bucket();
  const bool of_now = bucket.has_measured_over_ns() &&
                      std::chrono::nanoseconds(bucket.measured_over_ns()) <= kLongestMeasured;
  if (of_now || bucket.processed_requests() == 0) return reply;
  std::this_thread::sleep_for(kMeasured);
  return read();
}

Exit show(Session& session, const v1::GetBucketStatusRequest& request) {
  const v1::GetBucketStatusResponse reply = measured(session, request);
  if (session.json) {
    print(reply.bucket());
  } else {
    print_properties(reply.bucket());
  }
  return Exit::kOk;
}

void print_table(const v1::ListBucketsResponse& list) {
  Table table({{"BUCKET", Table::Align::kLeft},
               {"RATE"},
               {"CAPACITY"},
               {"QUEUE"},
               {"ALLOWED"},
               {"REJECTED"},
               {"PROCESSED"},
               {"SOJOURN P99"}});
  for (const v1::Bucket& bucket : list.buckets()) {
    table.add({bucket.bucket_id(), rates_in_words(bucket.config()),
               fmt::format("{}", bucket.capacity()), fmt::format("{}", bucket.queue_size()),
               fmt::format("{}", bucket.allowed_requests()),
               fmt::format("{}", bucket.rejected_requests()),
               fmt::format("{}", bucket.processed_requests()),
               bucket.processed_requests() == 0 ? "-" : brief_duration(bucket.sojourn().p99_ns())});
  }
  table.print();
}

v1::ListBucketsResponse read_all(Session& session, v1::ListBucketsRequest& request) {
  v1::ListBucketsResponse all;
  Progress progress("buckets");
  // Of a filter nobody knows how many it lets through.
  const bool filtered = request.has_filter() && request.filter().ByteSizeLong() > 0;
  do {
    v1::ListBucketsResponse page = session.connection.call(&Shaper::ListBuckets, request);
    request.set_page_token(page.next_page_token());
    all.set_total_buckets(page.total_buckets());
    all.mutable_buckets()->MergeFrom(page.buckets());
    progress.set_done(static_cast<std::uint64_t>(all.buckets_size()));
    if (!filtered) progress.set_total(page.total_buckets());
  } while (!request.page_token().empty());
  return all;
}

Exit list(Session& session, v1::ListBucketsRequest request, bool names_only) {
  request.set_page_size(1000);
  const v1::ListBucketsResponse all = read_all(session, request);
  if (names_only) {
    for (const v1::Bucket& bucket : all.buckets()) print_line(bucket.bucket_id());
  } else if (session.json) {
    nlohmann::ordered_json json = to_json(all);
    json.erase("next_page_token");  // The list is complete.
    print(json);
  } else {
    print_table(all);
  }
  return Exit::kOk;
}

Exit remove(Session& session, const v1::DeleteBucketRequest& request) {
  const v1::DeleteBucketResponse reply =
      session.connection.call(&RateLimiter::DeleteBucket, request);
  if (session.json) {
    print(reply);
  } else {
    print_line(fmt::format("bucket {} deleted: {} units dropped, {} left to drain",
                           request.bucket_id(), reply.dropped(), reply.draining()));
  }
  return Exit::kOk;
}

}  // namespace

void add_bucket_command(CommandLine* line) {
  CLI::App* bucket = line->add_command("bucket", "Leaky buckets: settings, state, counters");

  auto config = std::make_shared<v1::ConfigureBucketRequest>();
  CLI::App* subcommand = line->add_subcommand(
      bucket, "set", "Create a bucket, or change the settings of one in use that are given",
      {"bucket set web --rate 100mbit --capacity 1000", "bucket set web --rate 50mbit",
       "bucket set dns --rate 10kpps --rate 5mbit --capacity 500 --capacity-bytes 150kb",
       "bucket set wire --rate 1gbit --capacity 4096 --overhead 24 --min-frame 64",
       "bucket set jobs --rate 10/s --capacity 100 --departure end",
       "bucket set uplink --inner --rate 1gbit",
       "bucket set cust-3 --parent uplink --guarantee 20mbit --rate 100mbit --capacity 500",
       "bucket set api --rate 500/s --capacity 1000 --scope cluster",
       "bucket set cust-7 --rate 1gbit --capacity 4096 --scope cluster --on-failure last-share",
       "bucket set web --rate 60mbit --if-revision 17"},
      [config](Session& session) { return set(session, *config); });
  add_bucket_id(subcommand, config);
  add_bucket_settings(subcommand, config);
  add_place_settings(subcommand, config);
  add_queue_settings(subcommand,
                     [config]() -> v1::QueueConfig& { return *config->mutable_queue(); });
  add_sharing_settings(subcommand, config);
  add_whole<std::uint64_t>(
      subcommand, "--if-revision",
      "Only if the bucket is at this revision (see `bucket show`); 0: only if it does not exist",
      [config](std::uint64_t revision) { config->set_expected_revision(revision); });

  auto status = std::make_shared<v1::GetBucketStatusRequest>();
  subcommand =
      line->add_subcommand(bucket, "show", "All settings, state and counters of one bucket",
                           {"bucket show web", "bucket show web --json"},
                           [status](Session& session) { return show(session, *status); });
  add_bucket_id(subcommand, status);

  auto filter = std::make_shared<v1::ListBucketsRequest>();
  auto names_only = std::make_shared<bool>(false);
  subcommand = line->add_subcommand(
      bucket, "list", "Buckets in order of their names",
      {"bucket list", "bucket list --prefix cust- --backlogged", "bucket list --flows --json"},
      [filter, names_only](Session& session) { return list(session, *filter, *names_only); });
  add_bucket_filter(subcommand,
                    std::shared_ptr<v1::BucketFilter>(filter, filter->mutable_filter()));
  subcommand->add_flag("--names", *names_only, "Only the names")->group("");

  auto deletion = std::make_shared<v1::DeleteBucketRequest>();
  subcommand = line->add_subcommand(
      bucket, "delete", "Delete a bucket; its backlog drains unless --drop is given",
      {"bucket delete web", "bucket delete web --drop", "bucket delete uplink --recursive"},
      [deletion](Session& session) { return remove(session, *deletion); });
  add_bucket_id(subcommand, deletion);
  subcommand->add_flag_callback(
      "--drop", [deletion] { deletion->set_mode(v1::DELETE_MODE_DROP); },
      "Drop the backlog instead of letting it leak");
  subcommand->add_flag_callback(
      "--recursive", [deletion] { deletion->set_recursive(true); },
      "With all buckets below it in its tree");

  add_bucket_watch(line, bucket);
  add_bucket_traffic(line, bucket);
}

}  // namespace drip::cli
