// SPDX-License-Identifier: BSD-3-Clause
// The ids of the buckets into which sampled packets go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "engine/engine.h"
#include "engine/packet_sample.h"

namespace drip::control {

/// Not thread safe.
class BucketNames {
 public:
  BucketNames(const Engine& engine, const BucketRegistry& buckets,
              const Configuration& configuration)
      : engine_(engine), buckets_(buckets), configuration_(configuration) {}

  /// Empty if the packet goes into none, or into one that is not known yet: then refresh() may find
  /// it. Of a per-flow rule's bucket as BucketListing has it, `rule/flow`. Until the next call.
  [[nodiscard]] std::string_view find(const PacketSample& sample);
  /// Whether find() has missed a bucket since refresh().
  [[nodiscard]] bool stale() const { return stale_; }
  /// Reads all buckets and rules: 20 ms of 100,000, on this thread. Returns the ids of buckets that
  /// have been deleted since the last call; others of these ids may be there again.
  std::vector<std::string> refresh();

 private:
  const Engine& engine_;
  const BucketRegistry& buckets_;
  const Configuration& configuration_;
  absl::flat_hash_map<BucketRef, BucketEntryRef> by_ref_;
  absl::flat_hash_map<std::uint32_t, std::string> rules_;  // By the number of the flow rule.
  std::vector<std::string> ports_;
  std::string text_;
  bool stale_ = true;
};

}  // namespace drip::control
