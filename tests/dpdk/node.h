// SPDX-License-Identifier: BSD-3-Clause
// A packet path over DPDK devices inside the test process.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "classifier/classifier.h"
#include "datapath/poll_engine/poll_engine.h"
#include "dpdk/port_set.h"
#include "support/wait_until.h"

namespace drip::vdev {

using Engine = datapath::PollEngine;

/// The action for packets of one ingress port.
struct PortRule {
  std::uint16_t ingress;
  RuleAction action;
};

class Node {
 public:
  /// If the ports cannot be opened, status() says why. `data_bytes`: of a packet buffer.
  explicit Node(const std::vector<dpdk::PortSpec>& ports,
                std::vector<datapath::LcorePlan> lcores = {datapath::LcorePlan{}},
                std::uint32_t data_bytes = 2048);

  [[nodiscard]] bool is_open() const { return engine_ != nullptr; }
  [[nodiscard]] const absl::Status& status() const { return status_; }
  [[nodiscard]] Engine& engine() { return *engine_; }

  BucketRef add_bucket(const BucketSettings& settings);
  /// Packets that no rule matches are dropped. Nothing is received before the first call.
  void set_rules(const std::vector<PortRule>& rules, const std::vector<BucketRef>& buckets);

  [[nodiscard]] std::uint64_t rx() const { return sum(&LcoreStats::rx_packets); }
  [[nodiscard]] std::uint64_t tx() const { return sum(&LcoreStats::tx_packets); }
  [[nodiscard]] std::uint64_t waiting() const { return sum(&LcoreStats::waiting_packets); }
  [[nodiscard]] std::uint64_t drops(DropReason reason) const;
  [[nodiscard]] std::uint64_t all_drops() const;

  /// Stops, and checks rx = tx + drops by reason + waiting, with nothing waiting any more.
  void stop_and_check_balance();

 private:
  [[nodiscard]] std::uint64_t sum(std::uint64_t LcoreStats::*field) const;

  absl::Status status_;
  std::unique_ptr<dpdk::PortSet> ports_;
  datapath::TscClock clock_;
  std::unique_ptr<Engine> engine_;
};

inline RuleAction to_bucket(BucketRef bucket) { return {RuleAction::Kind::kBucket, bucket, 0}; }
inline RuleAction drop_all() { return {RuleAction::Kind::kDrop, {}, 0}; }
inline RuleAction pass_all() { return {RuleAction::Kind::kPass, {}, 0}; }

/// Skips the test, visibly, where it lacks the right to make network devices.
#define DRIP_NEEDS_NET_ADMIN() \
  if (!::drip::vdev::has_own_network()) GTEST_SKIP() << "needs root, for a network namespace"

/// Whether main() could put this process into a network namespace of its own.
bool has_own_network();

}  // namespace drip::vdev
