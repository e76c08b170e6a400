// SPDX-License-Identifier: BSD-3-Clause
// Samples of received packets, on their way from the workers to whoever measures the traffic.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "drip/spsc_ring.h"
#include "drip/time.h"
#include "engine/rule_snapshot.h"
#include "packet/flow_key.h"
#include "packet/tcp_fields.h"

namespace drip {

/// One packet, when it was received and before its bucket took or rejected it.
struct PacketSample {
  TimePoint at;
  FlowKey flow;  ///< Addresses, protocol and ports (kFiveTuple).
  /// Where its rule sends it: into a bucket, or (kFlows) into that of `rule_flow`.
  RuleAction::Kind target = RuleAction::Kind::kPass;
  BucketRef bucket;
  std::uint32_t flow_rule = 0;
  FlowKey rule_flow;
  std::uint32_t frame_bytes = 0;
  /// So many packets of any flow were received for this one; 0 if it is here for its flow only.
  std::uint32_t stands_for = 0;
  bool is_tcp = false;  ///< It is TCP, and its flow is one of which all packets are sampled.
  TcpFields tcp;
};

/// Which packets are sampled. Of flow sampling: all packets, of both directions, of those TCP
/// connections whose hash has `turn` in the bits of `mask`; so with another turn others are seen.
/// Of packet sampling: one of `one_in` on average, at random (RFC 5475, section 5.2.2.2).
struct SamplePlan {
  std::uint16_t mask = 0;  ///< 2^n - 1; 0: every TCP connection.
  std::uint16_t turn = 0;
  std::uint32_t one_in = 0;  ///< 0: none.
  friend bool operator==(const SamplePlan&, const SamplePlan&) = default;
};

/// From one worker, which never waits, to one reader. Nothing is allocated after construction.
struct SampleRing {
  static constexpr std::size_t kSamples = 4096;

  explicit SampleRing(std::uint64_t hash_key_of_all) : hash_key(hash_key_of_all) {}

  const std::uint64_t hash_key;        ///< The same for all workers; random, and odd.
  std::atomic<SamplePlan> plan{};      ///< The reader sets it at any time.
  std::atomic<std::uint64_t> lost{0};  ///< Samples for which there was no room.
  SpscRing<PacketSample> samples{kSamples};
};
static_assert(std::atomic<SamplePlan>::is_always_lock_free);

}  // namespace drip
