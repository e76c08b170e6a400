// SPDX-License-Identifier: BSD-3-Clause
// Parents, guarantees and priorities as flags and as text.
#include "cli/fields/bucket_place.h"

#include <fmt/format.h>

#include <chrono>
#include <vector>

#include "base/quantity.h"
#include "cli/fields/bucket_sharing.h"
#include "cli/fields/bucket_text.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

// Config is BucketConfig or ConfigureBucketRequest, which has the same fields.
template <typename Config>
void set_guarantees(const std::vector<std::string>& texts, Config* config) {
  for (const std::string& text : texts) {
    const Parsed<LeakRate> rate = parse_leak_rate(text);
    if (!rate) throw CLI::ValidationError("--guarantee", rate.error());
    if (rate->kind == RateKind::kBits) {
      config->set_guarantee_bps(rate->per_second);
    } else {
      config->set_guarantee(rate->per_second);
    }
  }
}

template <typename Config>
void add_parent_and_guarantee(CLI::App* app, const std::shared_ptr<Config>& config) {
  app->add_option_function<std::string>(
         "--parent",
         [config](const std::string& name) { config->set_parent_id(name == "-" ? "" : name); },
         "The inner node below which the bucket is; - for none")
      ->type_name("NAME");
  app->add_option_function<std::vector<std::string>>(
         "--guarantee",
         [config](const std::vector<std::string>& texts) { set_guarantees(texts, config.get()); },
         "Rate that the bucket gets from its parent before others get more than theirs; 0bit or\n"
         "0 for none")
      ->type_name("RATE")
      ->allow_extra_args(false);
}

template <typename Config>
void add_priority_and_tolerance(CLI::App* app, const std::string& priority_flag,
                                const std::shared_ptr<Config>& config) {
  add_whole<std::uint32_t>(app, priority_flag,
                           "Order among siblings beyond guarantees, 0 to 7, the highest first",
                           [config](std::uint32_t priority) { config->set_priority(priority); });
  add_parsed(
      app, "--tolerance", "DURATION",
      "Below a parent: time waited for it that the bucket's own rate may make up for",
      [](std::string_view text) { return parse_duration(text); },
      [config](std::chrono::nanoseconds span) {
        config->set_tolerance_ns(static_cast<std::uint64_t>(span.count()));
      });
}

}  // namespace

void add_place_settings(CLI::App* app, const std::shared_ptr<v1::ConfigureBucketRequest>& request) {
  app->add_flag_callback(
      "--inner", [request] { request->set_inner(true); },
      "The bucket is an inner node of a tree: it has children, no capacity, and a rate or none");
  app->add_flag_callback(
      "--spread", [request] { request->set_spread(true); },
      "The bucket is a root of which the children may be on several polling threads: its rate is\n"
      "leased to them by demand");
  add_parent_and_guarantee(app, request);
  add_priority_and_tolerance(app, "--priority", request);
}

void add_flow_place_settings(CLI::App* app, const std::shared_ptr<v1::BucketConfig>& config) {
  add_parent_and_guarantee(app, config);
  add_whole<std::uint32_t>(app, "--weight",
                           "Below a parent: share of what is left beyond guarantees, 1 to 1000",
                           [config](std::uint32_t weight) { config->set_weight(weight); });
  add_priority_and_tolerance(app, "--flow-priority", config);
}

std::string guarantee_in_words(const v1::BucketConfig& config) {
  v1::BucketConfig rates;
  rates.set_leak_rate(config.guarantee());
  rates.set_leak_rate_bps(config.guarantee_bps());
  return rates_in_words(rates);
}

std::string share_in_words(const v1::CoreShare& share) {
  v1::BucketConfig rates;
  rates.set_leak_rate(four_digits(share.share_rate()));
  rates.set_leak_rate_bps(four_digits(share.share_rate_bps()));
  return rates_in_words(rates);
}

void add_place_properties(const v1::Bucket& bucket, Properties* properties) {
  const v1::BucketConfig& config = bucket.config();
  if (!config.inner() && config.parent_id().empty()) return;
  properties->add("node", config.inner() ? "inner" : "leaf");
  properties->add("parent", or_dash(config.parent_id()));
  if (config.spread()) properties->add("spread", "yes");
  for (const v1::CoreShare& share : bucket.core_shares()) {
    properties->add(fmt::format("share of {}", share.transmitter()),
                    fmt::format("{}; {} units, {} processed", share_in_words(share),
                                share.processed_requests(), brief_bytes(share.processed_bytes())));
  }
  if (config.parent_id().empty()) return;
  properties->add("guarantee", guarantee_in_words(config));
  properties->add("weight", fmt::format("{}", config.weight()));
  properties->add("priority", fmt::format("{}", config.priority()));
  properties->add("tolerance", format_duration(std::chrono::nanoseconds(config.tolerance_ns())));
}

}  // namespace drip::cli
