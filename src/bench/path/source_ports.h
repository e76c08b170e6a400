// SPDX-License-Identifier: BSD-3-Clause
// An engine's ports and rules where packets are made and freed by the polling threads.
#pragma once

#include <rte_lcore.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/path/packet_pool.h"
#include "classifier/classifier.h"
#include "datapath/poll_engine/ports.h"
#include "engine/call_types.h"
#include "engine/rule_snapshot.h"

namespace drip::bench {

/// What the engine asks of ports, for ports that are only sources and sinks.
class SourcePorts final : public datapath::Ports {
 public:
  [[nodiscard]] std::uint16_t count() const override { return 1; }
  [[nodiscard]] std::vector<std::string> names() const override { return {"source"}; }
  [[nodiscard]] std::vector<PortStats> read(std::span<const std::uint64_t>) const override {
    return {PortStats{}};
  }
  [[nodiscard]] std::uint64_t packets_for_buckets() const override { return ~0ULL >> 1; }
  [[nodiscard]] std::uint64_t packets() const override { return 0; }
  [[nodiscard]] std::uint64_t packets_free() const override { return 0; }
  [[nodiscard]] bool hugepages() const override { return false; }
  // Or the mempool would have no cache for the thread.
  void thread_begins(std::uint32_t) override { (void)rte_thread_register(); }
  void thread_ends(std::uint32_t) override { rte_thread_unregister(); }
};

/// A rule for each bucket, in their order: packets to its number's address (PacketPool) go there.
inline std::shared_ptr<RuleSnapshot> rules_for(std::span<const BucketChange> buckets,
                                               std::uint32_t workers) {
  auto snapshot = std::make_shared<RuleSnapshot>();
  std::vector<ClassifierRule> rules(buckets.size());
  for (std::uint32_t i = 0; i < buckets.size(); ++i) {
    rules[i].match.dst_prefix = PacketPool::destination(i);
    snapshot->actions.push_back({RuleAction::Kind::kBucket, *buckets[i].ref, 0});
  }
  snapshot->classifier = Classifier::build(rules).value();
  snapshot->prepare_workers(workers);
  return snapshot;
}

}  // namespace drip::bench
