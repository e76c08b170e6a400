// SPDX-License-Identifier: BSD-3-Clause
// Parents, guarantees and priorities as flags and as text.
#include "cli/fields/bucket_place.h"

#include <fmt/format.h>

#include <chrono>
#include <vector>

#include "base/quantity.h"
#include "cli/fields/bucket_text.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

void set_guarantees(const std::vector<std::string>& texts, v1::ConfigureBucketRequest* request) {
  for (const std::string& text : texts) {
    const Parsed<LeakRate> rate = parse_leak_rate(text);
    if (!rate) throw CLI::ValidationError("--guarantee", rate.error());
    if (rate->kind == RateKind::kBits) {
      request->set_guarantee_bps(rate->per_second);
    } else {
      request->set_guarantee(rate->per_second);
    }
  }
}

}  // namespace

void add_place_settings(CLI::App* app, const std::shared_ptr<v1::ConfigureBucketRequest>& request) {
  app->add_flag_callback(
      "--inner", [request] { request->set_inner(true); },
      "The bucket is an inner node of a tree: it has children, no capacity, and a rate or none");
  app->add_option_function<std::string>(
         "--parent",
         [request](const std::string& name) { request->set_parent_id(name == "-" ? "" : name); },
         "The inner node below which the bucket is; - for none")
      ->type_name("NAME");
  app->add_option_function<std::vector<std::string>>(
         "--guarantee",
         [request](const std::vector<std::string>& texts) { set_guarantees(texts, request.get()); },
         "Rate that the bucket gets from its parent before others get more than theirs; 0bit or\n"
         "0 for none")
      ->type_name("RATE")
      ->allow_extra_args(false);
  add_whole<std::uint32_t>(app, "--priority",
                           "Order among siblings beyond guarantees, 0 to 7, the highest first",
                           [request](std::uint32_t priority) { request->set_priority(priority); });
  add_parsed(
      app, "--tolerance", "DURATION",
      "Below a parent: time waited for it that the bucket's own rate may make up for",
      [](std::string_view text) { return parse_duration(text); },
      [request](std::chrono::nanoseconds span) {
        request->set_tolerance_ns(static_cast<std::uint64_t>(span.count()));
      });
}

std::string guarantee_in_words(const v1::BucketConfig& config) {
  v1::BucketConfig rates;
  rates.set_leak_rate(config.guarantee());
  rates.set_leak_rate_bps(config.guarantee_bps());
  return rates_in_words(rates);
}

void add_place_properties(const v1::Bucket& bucket, Properties* properties) {
  const v1::BucketConfig& config = bucket.config();
  if (!config.inner() && config.parent_id().empty()) return;
  properties->add("node", config.inner() ? "inner" : "leaf");
  properties->add("parent", or_dash(config.parent_id()));
  if (config.parent_id().empty()) return;
  properties->add("guarantee", guarantee_in_words(config));
  properties->add("weight", fmt::format("{}", config.weight()));
  properties->add("priority", fmt::format("{}", config.priority()));
  properties->add("tolerance", format_duration(std::chrono::nanoseconds(config.tolerance_ns())));
}

}  // namespace drip::cli
