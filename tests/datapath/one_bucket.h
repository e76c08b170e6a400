// SPDX-License-Identifier: BSD-3-Clause
// What tests of one bucket on a fused lcore have in common.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "harness.h"
#include "support/frame_builder.h"

namespace drip::datapath {

inline constexpr Duration kMillisecond{1'000'000};

inline BucketSettings bits(std::uint32_t capacity, double bits_per_second,
                           Departure departure = Departure::kAtStart) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.departure = departure;
  return settings;
}

class OneBucket : public testing::Test {
 protected:
  void use(const BucketSettings& settings) {
    slot_ = h.add_bucket(settings);
    h.send_all_to(slot_);
  }
  // Arrives now and is received now.
  void arrive(std::size_t count, std::size_t frame_bytes = 100, std::uint16_t port = 0) {
    for (std::size_t i = 0; i < count; ++i) {
      h.ports.arrive(port, udp_frame(1, 2, 3, 4, frame_bytes));
    }
    while (h.ports.queued(port) > 0) h.lcore.poll_once();
  }
  void change(const BucketSettings& settings) {
    h.transmitter.change(slot_, settings, nullptr, 0, h.time);
  }
  Bucket& bucket() { return h.bucket(slot_); }
  std::uint64_t rejected(RejectReason reason) {
    return bucket().rejected[static_cast<std::size_t>(reason)].get();
  }
  // The spans between what has left by `port` and `since`.
  std::vector<std::int64_t> left_after(TimePoint since, std::uint16_t port = 1) {
    std::vector<std::int64_t> spans;
    for (const FakeIo::Sent& sent : h.ports.sent(port)) spans.push_back((sent.at - since).ns);
    return spans;
  }
  void expect_order(std::uint16_t port = 1) {
    const auto& sent = h.ports.sent(port);
    for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_LT(sent[i - 1].id, sent[i].id) << i;
  }
  void TearDown() override {
    EXPECT_TRUE(h.balanced());
    EXPECT_EQ(h.ports.alive(), h.transmitter.waiting_packets());
    EXPECT_EQ(bucket().admitted.get(),
              bucket().departed.get() + bucket().dropped.get() + bucket().backlog.get());
    EXPECT_EQ(bucket().backlog_bytes(), h.ring_bytes(slot_));
    EXPECT_EQ(h.latencies(slot_).sojourn.total(), bucket().departed.get());
    EXPECT_EQ(h.latencies(slot_).lateness.total(), bucket().departed.get());
  }

  Harness h;
  std::uint32_t slot_ = 0;
};

}  // namespace drip::datapath
