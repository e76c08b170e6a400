// SPDX-License-Identifier: BSD-3-Clause
// Rates of buckets, from the counters of successive states.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "drip/v1/bucket.pb.h"

namespace drip::cli {

// Rates of one bucket over the interval before a state.
struct Rates {
  double arrived_per_second = 0;
  double rejected_per_second = 0;
  double dropped_per_second = 0;
  double processed_per_second = 0;
  double processed_bps = 0;
};

class RateMeter {
 public:
  // Returns nothing for a bucket that is seen for the first time or was created anew.
  std::optional<Rates> update(const v1::Bucket& bucket, std::int64_t now_ns) {
    const auto [entry, first] = last_.try_emplace(bucket.bucket_id());
    const Seen before = std::exchange(entry->second, Seen{now_ns, bucket});
    const double seconds = 1e-9 * static_cast<double>(now_ns - before.monotonic_ns);
    if (first || seconds <= 0) return std::nullopt;
    bool went_back = false;
    const auto per_second = [&](std::uint64_t (v1::Bucket::*counter)() const) {
      const std::uint64_t now = (bucket.*counter)();
      const std::uint64_t then = (before.bucket.*counter)();
      went_back = went_back || now < then;
      // Subtracted as integers, because doubles lose the last digits of large counters.
      return static_cast<double>(now - then) / seconds;
    };
    const Rates rates{
        per_second(&v1::Bucket::total_requests), per_second(&v1::Bucket::rejected_requests),
        per_second(&v1::Bucket::dropped_requests), per_second(&v1::Bucket::processed_requests),
        8 * per_second(&v1::Bucket::processed_bytes)};
    return went_back ? std::nullopt : std::optional(rates);
  }

 private:
  struct Seen {
    std::int64_t monotonic_ns = 0;
    v1::Bucket bucket;
  };
  std::map<std::string, Seen> last_;
};

}  // namespace drip::cli
