// SPDX-License-Identifier: BSD-3-Clause
// dripd's whole loop on one core: rules and buckets between a source and a sink.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bench/path/bench_port.h"
#include "bench/path/bucket_path.h"
#include "datapath/poll_loop.h"

namespace drip::bench {

/// The parts of a fused polling thread as the engine puts them together, driven by the caller's
/// thread. A rule for each bucket sends its destination address there.
template <class Clock>
class BasicFusedPath {
 public:
  BasicFusedPath(BenchPort& port, Clock clock, std::uint32_t buckets, const SettingsOf& settings_of)
      : path_(port, clock, buckets, settings_of),
        flows_(path_.transmitter()),
        dispatcher_(port, &path_.transmitter(), &flows_, 0, {nullptr}, spread_, counters_),
        rx_worker_(0, port, dispatcher_, counters_),
        loop_(clock, counters_, mailbox_, dispatcher_, &rx_worker_, &path_.transmitter(), &flows_,
              {}, false) {
    std::vector<ClassifierRule> rules(buckets);
    for (std::uint32_t i = 0; i < buckets; ++i) {
      rules[i].match.dst_prefix = PacketPool::destination(i);
      rules_.actions.push_back({RuleAction::Kind::kBucket, BucketRef{0, i}, 0});
    }
    rules_.classifier = Classifier::build(rules).value();
    rules_.prepare_workers(1);
    rx_worker_.set_rules(&rules_);
  }
  /// All with the same settings.
  BasicFusedPath(BenchPort& port, Clock clock, std::uint32_t buckets,
                 const BucketSettings& settings)
      : BasicFusedPath(port, clock, buckets, SettingsOf([&](std::uint32_t) { return settings; })) {}

  /// One loop; false if there was nothing to do.
  bool poll() { return loop_.poll_once(); }
  [[nodiscard]] BasicBucketPath<Clock>& buckets() { return path_; }
  [[nodiscard]] std::uint64_t waiting() const { return path_.waiting(); }
  [[nodiscard]] const RuleSnapshot& rules() const { return rules_; }
  [[nodiscard]] const datapath::LcoreCounters& counters() const { return counters_; }

 private:
  BasicBucketPath<Clock> path_;
  datapath::LcoreCounters counters_;
  datapath::Mailbox mailbox_;
  FlowHash spread_{1};
  RuleSnapshot rules_;
  datapath::FlowBuckets<BenchPort> flows_;
  datapath::Dispatcher<BenchPort> dispatcher_;
  datapath::RxWorker<BenchPort> rx_worker_;
  datapath::PollLoop<BenchPort, Clock> loop_;
};

using FusedPath = BasicFusedPath<datapath::TscClock::Reader>;

}  // namespace drip::bench
