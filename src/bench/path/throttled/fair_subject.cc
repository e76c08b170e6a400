// SPDX-License-Identifier: BSD-3-Clause
// Flat buckets with fair queues, to each of which packets of several flows come.
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "bench/path/bucket_path.h"
#include "bench/path/throttled/subject.h"
#include "datapath/memory/numa_memory.h"
#include "datapath/poll_engine/queue_profiles.h"
#include "drip/queue/bucket_queues.h"

namespace drip::bench {
namespace {

constexpr std::uint32_t kFlows = 4;  // Of a bucket.
constexpr std::uint64_t kSeed = 1;

BucketSettings fair_settings(const Load& load, std::uint32_t bucket) {
  BucketSettings settings = load.settings(bucket);
  settings.queue.kind = QueueKind::kFair;
  return settings;
}

FairQueueSizes pool_sizes(const Traffic& traffic) {
  FairQueueSizes sizes;
  sizes.packets = traffic.most_waiting() + 1;
  sizes.flows = 2 * kFlows * traffic.buckets();  // Room for flows that come and go.
  sizes.hosts = 1;
  sizes.leaves = traffic.buckets();
  sizes.tins = traffic.buckets();
  sizes.advise = datapath::use_huge_pages;
  return sizes;
}

class Fair final : public Subject {
 public:
  explicit Fair(const Load& load)
      : Subject(load),
        path_(port_, load.bench.reader(), load.traffic.buckets(),
              SettingsOf([&](std::uint32_t bucket) { return fair_settings(load, bucket); })) {
    port_.set_flows(kFlows);
    queues_ =
        std::make_unique<BucketQueues>(path_.table().queues(), pool_sizes(load.traffic), kSeed);
    path_.transmitter().set_queues(queues_.get());
    for (std::uint32_t bucket = 0; bucket < load.traffic.buckets(); ++bucket) {
      path_.table().prepare_queue(bucket);
      profiles_.push_back(known_.get(fair_settings(load, bucket)));
      path_.transmitter().set_queue(bucket, *profiles_.back(), nullptr);
    }
  }

  void poll() override {
    path_.depart();
    const std::uint32_t count = port_.receive(packets_, buckets_);
    if (count == 0) return;
    for (std::uint32_t i = 0; i < count; ++i) {
      const datapath::FrameBytes frame = port_.frame(packets_[i]);
      parse_frame(frame.bytes, frame.frame_bytes, headers_[i]);
    }
    path_.offer(std::span(packets_).first(count), std::span(buckets_).first(count), headers_);
  }
  void flush() override { path_.transmitter().flush(); }
  void hold(std::uint32_t bucket, Duration span) override { path_.hold(bucket, span); }
  [[nodiscard]] std::uint64_t waiting() const override { return path_.waiting(); }

 private:
  std::array<rte_mbuf*, BucketPath::kBurst> packets_{};
  std::array<std::uint32_t, BucketPath::kBurst> buckets_{};
  std::array<Headers, BucketPath::kBurst> headers_;
  // Outlive the path, which frees what waits in them.
  datapath::QueueProfiles known_;
  std::vector<datapath::SharedQueueProfile> profiles_;
  std::unique_ptr<BucketQueues> queues_;
  BucketPath path_;
};

}  // namespace

std::unique_ptr<Subject> make_fair(const Load& load) { return std::make_unique<Fair>(load); }

}  // namespace drip::bench
