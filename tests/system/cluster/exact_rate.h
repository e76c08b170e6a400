// SPDX-License-Identifier: BSD-3-Clause
// What the tests of exact buckets over failures of Redis have in common: a rate, and how far what
// departs may be off it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>

#include "exact_group.h"
#include "nodes/departure_sink.h"

namespace drip {

inline constexpr double kRate = 100;
// Above the stalls of a busy machine, so that the only failures are those that are made here.
inline constexpr double kDecideSeconds = 0.5;
// A departure that nobody confirms is held up by `decide_within`, and those of the time until then
// come together. The rest is the machine's stalls.
inline constexpr double kSlackSeconds = kDecideSeconds + 0.3;

inline v1::ConfigureBucketRequest fallible_bucket(
    const std::string& id, std::uint64_t capacity, double rate,
    v1::FailurePolicy policy = v1::FAILURE_POLICY_UNSPECIFIED) {
  v1::ConfigureBucketRequest request = exact_bucket(id, capacity, rate, policy);
  request.set_decide_within_ns(static_cast<std::uint64_t>(kDecideSeconds * 1e9));
  return request;
}

// Requests depart by the schedule in Redis's time, or when their reply had said: in any time t no
// more than kRate t + 1, and what the slack holds up.
inline double closed_bound() { return 1 + kRate * kSlackSeconds; }

inline void expect_within(const DepartureSink& sink, double rate, double bound,
                          DepartureSink::Clock::time_point begin, const std::string& what) {
  const double worst = worst_excess(sink.departures(), rate, begin);
  std::cout << "worst excess over the rate, " << what << ": " << worst << " units\n";
  EXPECT_LE(worst, bound) << what;
}

inline v1::PolicyState state_of(ClusterNode& node, const std::string& id) {
  return node.client().bucket(id).policy_state();
}

inline bool all_are(const ClusterNodes& nodes, const std::string& id, v1::PolicyState state) {
  return std::ranges::all_of(nodes, [&](const auto& node) { return state_of(*node, id) == state; });
}

inline double departures_a_second(const DepartureSink& sink, std::chrono::milliseconds span) {
  const auto now = DepartureSink::Clock::now();
  return static_cast<double>(sink.count(now - span, now)) * 1e3 / static_cast<double>(span.count());
}

inline void wait_for_rate(const DepartureSink& sink, const std::string& what) {
  wait_until(what, [&] {
    const double rate = departures_a_second(sink, std::chrono::milliseconds(500));
    return rate > 0.9 * kRate && rate < 1.1 * kRate;
  });
}

inline void expect_only_unavailable(const DepartureSink& sink) {
  for (const auto& failure : sink.failures()) {
    EXPECT_EQ(failure.status.error_code(), grpc::UNAVAILABLE) << failure.status.error_message();
  }
}

}  // namespace drip
