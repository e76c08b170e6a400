// SPDX-License-Identifier: BSD-3-Clause
// The flags for a bucket's settings, which `bucket set` and `rule add --per-flow` have in common,
// and the flags that select buckets.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/quantity.h"
#include "cli/session/flags.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// Config is BucketConfig or ConfigureBucketRequest, which has the same fields.
template <typename Config>
void set_rates(const std::vector<std::string>& texts, Config* config) {
  for (const std::string& text : texts) {
    const Parsed<LeakRate> rate = parse_leak_rate(text);
    if (!rate) throw CLI::ValidationError("--rate", rate.error());
    const bool bits = rate->kind == RateKind::kBits;
    if (bits ? config->has_leak_rate_bps() : config->has_leak_rate()) {
      throw CLI::ValidationError(
          "--rate",
          fmt::format(
              "'{}' is a second rate of the same kind; allowed: one of bits and one of units",
              text));
    }
    if (bits) {
      config->set_leak_rate_bps(rate->per_second);
    } else {
      config->set_leak_rate(rate->per_second);
    }
  }
}

template <typename Config>
void add_bucket_settings(CLI::App* app, std::shared_ptr<Config> config) {
  app->add_option_function<std::vector<std::string>>(
         "--rate",
         [config](const std::vector<std::string>& texts) { set_rates(texts, config.get()); },
         "Leak rate in bits (100mbit) or units (10kpps, 10/s, 1/h, a plain number) per second;\n"
         "twice for both. 0bit or 0 removes one of two rates")
      ->type_name("RATE")
      ->allow_extra_args(false);
  add_whole<std::uint64_t>(app, "--capacity", "Units that the bucket holds at most",
                           [config](std::uint64_t units) { config->set_capacity(units); });
  add_parsed(
      app, "--capacity-bytes", "SIZE", "Wire bytes that may wait at most; 0: no such limit",
      [](std::string_view text) { return parse_bytes(text); },
      [config](std::uint64_t bytes) { config->set_capacity_bytes(bytes); });
  add_whole<std::int32_t>(app, "--overhead",
                          "Bytes added to the length of each frame; 24 for layer 1 of Ethernet",
                          [config](std::int32_t bytes) { config->set_overhead_bytes(bytes); });
  add_parsed(
      app, "--min-frame", "SIZE", "A shorter frame counts as this many bytes",
      [](std::string_view text) -> Parsed<std::uint64_t> {
        const auto bytes = parse_bytes(text);
        if (bytes && *bytes > std::numeric_limits<std::uint32_t>::max()) {
          return not_allowed<std::uint64_t>(text, "up to 4294967295 bytes");
        }
        return bytes;
      },
      [config](std::uint64_t bytes) {
        config->set_min_frame_bytes(static_cast<std::uint32_t>(bytes));
      });
  add_parsed(
      app, "--departure", "start|end", "Whether a unit leaves when its service starts or ends",
      [](std::string_view text) {
        static constexpr Choice<v1::Departure> kDepartures[] = {{"start", v1::DEPARTURE_AT_START},
                                                                {"end", v1::DEPARTURE_AT_END}};
        return parse_choice(text, kDepartures);
      },
      [config](v1::Departure departure) { config->set_departure(departure); });
  add_parsed(
      app, "--max-catchup", "DURATION",
      "Up to which delay a late polling thread catches up with the schedule",
      [](std::string_view text) { return parse_duration(text); },
      [config](std::chrono::nanoseconds span) {
        config->set_max_catchup_ns(static_cast<std::uint64_t>(span.count()));
      });
}

// The flags that select buckets, for `bucket list` and `bucket watch`.
inline void add_bucket_filter(CLI::App* app, std::shared_ptr<v1::BucketFilter> filter) {
  app->add_option_function<std::string>(
         "--prefix", [filter](const std::string& prefix) { filter->set_id_prefix(prefix); },
         "Only buckets whose names begin with TEXT")
      ->type_name("TEXT");
  app->add_flag_callback(
      "--backlogged", [filter] { filter->set_backlogged(true); },
      "Only buckets in which units wait");
  app->add_flag_callback(
      "--flows", [filter] { filter->set_include_flows(true); },
      "Also buckets that per-flow rules made");
}

}  // namespace drip::cli
