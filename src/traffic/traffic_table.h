// SPDX-License-Identifier: BSD-3-Clause
// Makes traffic of buckets from samples of packets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "engine/packet_sample.h"
#include "traffic/bucket_traffic.h"
#include "traffic/tcp_flow.h"

namespace drip::traffic {

/// Memory is bounded: by kMostBuckets of about 7 kB, and kMostFlows of about 400 bytes. Who is idle
/// makes room. If that is not enough, those of which few samples have come do, the oldest first: a
/// sender of ever new addresses pushes out his own, and not those that have been there for long.
/// What finds no room is counted. Not thread safe.
class TrafficTable {
 public:
  static constexpr std::size_t kMostBuckets = 10'000;
  static constexpr std::size_t kMostFlows = 50'000;
  static constexpr Duration kFlowIdle{60'000'000'000};
  static constexpr Duration kBucketIdle{600'000'000'000};
  /// Of so many samples a bucket or connection is no passing one.
  static constexpr std::uint32_t kEstablished = 8;

  /// A sample of a packet that `bucket` gets. Samples come in order of time.
  void add(const PacketSample& sample, std::string_view bucket);
  /// Forgets who has been idle. To be called about once a second.
  void sweep(TimePoint now);
  void forget_bucket(std::string_view bucket) {
    if (const auto found = buckets_.find(bucket); found != buckets_.end()) buckets_.erase(found);
  }

  /// Null if none of its packets has been sampled. Until the next call that is not const.
  [[nodiscard]] BucketTraffic* find(std::string_view bucket) {
    const auto found = buckets_.find(bucket);
    return found == buckets_.end() ? nullptr : found->second.get();
  }
  [[nodiscard]] std::size_t buckets() const { return buckets_.size(); }
  [[nodiscard]] std::size_t flows() const { return flows_.size(); }
  /// Samples for whose bucket or flow there was no room.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  struct Connection {
    TcpFlow flow;
    // Of the packets of each direction.
    std::array<std::string, 2> buckets;
    TimePoint last;
    std::uint32_t samples = 0;
  };
  struct KeyHash {
    std::size_t operator()(const FlowKey& key) const { return absl::HashOf(key.words()); }
  };

  struct IdHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view id) const { return std::hash<std::string_view>{}(id); }
  };

  [[nodiscard]] BucketTraffic* find_or_make(std::string_view bucket);
  void add_segment(const PacketSample& sample, std::string_view bucket, BucketTraffic& traffic);

  absl::flat_hash_map<std::string, std::unique_ptr<BucketTraffic>, IdHash, std::equal_to<>>
      buckets_;
  absl::flat_hash_map<FlowKey, std::unique_ptr<Connection>, KeyHash> flows_;
  std::uint64_t refused_ = 0;
};

}  // namespace drip::traffic
