// SPDX-License-Identifier: BSD-3-Clause
// What the tests of split buckets have in common: setting one, reading shares, and the bound on
// what departs.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <thread>

#include "nodes/departure_sink.h"
#include "nodes/node_group.h"

namespace drip {

using SinkClock = DepartureSink::Clock;

/// By how much what certainly departed may exceed the rate, in seconds of it: a node that stood
/// still makes up for 100 ms (max_catchup), and several may at one time, as one holds its share
/// back while others go on. Two nodes with one share for as long as a lease (2 s) would be six
/// times this at a third of the rate each.
inline constexpr double kCatchUpSeconds = 0.1;
/// Units that each node may send on top: one round of its polling thread
/// (docs/decisions/0011-leased-shares.md).
inline constexpr double kUnitsANode = 8;

inline double allowed_excess(double rate, std::size_t nodes) {
  return rate * kCatchUpSeconds + kUnitsANode * static_cast<double>(nodes);
}

/// Longer than the default of 50 ms: a machine that is full of tests may take that to answer, and a
/// test that counts changes of policy must not count those.
inline constexpr std::chrono::milliseconds kDecideWithin{300};

inline v1::ConfigureBucketRequest split_bucket(const std::string& id, double rate,
                                               v1::FailurePolicy policy) {
  v1::ConfigureBucketRequest request;
  request.set_bucket_id(id);
  request.set_capacity(4096);
  request.set_leak_rate(rate);
  request.set_scope(v1::SCOPE_CLUSTER);
  request.set_sharing(v1::SHARING_SPLIT);
  request.set_failure_policy(policy);
  request.set_decide_within_ns(std::chrono::nanoseconds(kDecideWithin).count());
  return request;
}

/// Sets it through `node` and waits until all nodes have it and a share of it.
inline void set_split_bucket(const ClusterNodes& nodes, ClusterNode& node,
                             const v1::ConfigureBucketRequest& request) {
  wait_until("the cluster takes " + request.bucket_id(), [&] {
    v1::ConfigureBucketResponse reply;
    return node.client().status_of(&Limiter::ConfigureBucket, request, reply).ok();
  });
  wait_until("all have a share of " + request.bucket_id(), [&] {
    for (const auto& each : nodes) {
      v1::GetBucketStatusRequest ask;
      ask.set_bucket_id(request.bucket_id());
      v1::GetBucketStatusResponse reply;
      if (!each->client().status_of(&Limiter::GetBucketStatus, ask, reply).ok()) return false;
      if (reply.bucket().leak_rate() != request.leak_rate()) return false;
      if (reply.bucket().policy_state() != v1::POLICY_STATE_SHARED) return false;
      if (reply.bucket().share_rate() <= 0) return false;
    }
    return true;
  });
}

/// What each node says that it may leak, in units a second.
inline std::map<std::string, double> shares_of(const ClusterNodes& nodes, const std::string& id) {
  std::map<std::string, double> shares;
  for (const auto& node : nodes) shares[node->id()] = node->client().bucket(id).share_rate();
  return shares;
}

/// Of all nodes together, over the last `span`.
inline double departures_a_second(const DepartureSink& sink, std::chrono::milliseconds span) {
  const auto now = SinkClock::now();
  return static_cast<double>(sink.count(now - span, now)) * 1e3 / static_cast<double>(span.count());
}

inline void expect_within_rate(const DepartureSink& sink, double rate, std::size_t nodes,
                               SinkClock::time_point begin,
                               SinkClock::time_point end = SinkClock::time_point::max()) {
  const double worst = certain_excess(sink.departures(), rate, begin, end);
  std::cout << "worst excess over the rate: " << worst << " units, " << worst / rate * 1e3
            << " ms of it\n";
  EXPECT_LE(worst, allowed_excess(rate, nodes));
}

/// Nothing that `node` admitted is lost: it has left, or still waits.
inline void expect_nothing_lost(ClusterNode& node, const std::string& id) {
  const v1::Bucket bucket = node.client().bucket(id);
  EXPECT_EQ(bucket.allowed_requests(), bucket.processed_requests() + bucket.queue_size())
      << node.id();
  EXPECT_EQ(bucket.dropped_requests(), 0U) << node.id();
}

}  // namespace drip
