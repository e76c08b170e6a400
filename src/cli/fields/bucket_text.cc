// SPDX-License-Identifier: BSD-3-Clause
// Text for rates, departures, reasons and histograms of buckets.
#include "cli/fields/bucket_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/quantity.h"
#include "cli/output/output.h"

namespace drip::cli {

std::string rates_in_words(const v1::BucketConfig& config) {
  return rates_in_words(config, config.leak_rate(), config.leak_rate_bps());
}

std::string rates_in_words(const v1::BucketConfig& config, double units_per_second,
                           double bits_per_second) {
  std::string words;
  if (config.leak_rate_bps() > 0) words = format_bit_rate(bits_per_second);
  if (config.leak_rate() > 0) {
    words += (words.empty() ? "" : " and ") + format_unit_rate(units_per_second);
  }
  return or_dash(words);
}

std::string departure_in_words(v1::Departure departure) {
  switch (departure) {
    case v1::DEPARTURE_AT_START:
      return "start of service";
    case v1::DEPARTURE_AT_END:
      return "end of service";
    default:
      return "-";
  }
}

std::string reason_in_words(v1::RejectReason reason) {
  switch (reason) {
    case v1::REJECT_REASON_FULL:
      return "the bucket is full";
    case v1::REJECT_REASON_FULL_BYTES:
      return "the bucket is full (bytes)";
    case v1::REJECT_REASON_DRAINING:
      return "the bucket is draining";
    case v1::REJECT_REASON_WAIT_TOO_LONG:
      return "it would wait too long";
    default:
      return "no reason given";
  }
}

std::string histogram_in_words(const v1::Histogram& histogram) {
  const auto& counts = histogram.counts();
  if (std::all_of(counts.begin(), counts.end(), [](auto count) { return count == 0; })) return "-";
  return fmt::format("p50 {}, p99 {}, max {}", brief_duration(histogram.p50_ns()),
                     brief_duration(histogram.p99_ns()), brief_duration(histogram.max_ns()));
}

}  // namespace drip::cli
