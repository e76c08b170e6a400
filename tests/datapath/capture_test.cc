// SPDX-License-Identifier: BSD-3-Clause
// Copies of a bucket's frames: byte by byte, of the wanted kind, bounded, and none when it is over.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/capture_ring.h"
#include "one_bucket.h"

namespace drip::datapath {
namespace {

constexpr Duration ms(std::int64_t count) { return {count * 1'000'000}; }

using Bytes = std::vector<std::uint8_t>;
using Captured = std::pair<std::uint64_t, std::string>;  // Source port and outcome.

// They outlive the transmitter.
struct Pools {
  std::unique_ptr<BucketQueue[]> queues_ = std::make_unique<BucketQueue[]>(Harness::kSlots);
  BucketQueues pools_{queues_.get(), {4096, 4096, 8192, 64, 256}, 1};
};

class CaptureTest : protected Pools, public OneBucket {
 protected:
  static Bytes frame(std::uint16_t port, std::size_t bytes = 1000) {
    return udp_frame(1, 2, port, 4, bytes);
  }
  void begin(const CaptureSettings& settings) {
    ring_ = std::make_unique<CaptureRing>(settings);
    h.transmitter.begin_capture(slot_, *ring_);
  }
  void arrive_frame(const Bytes& bytes) {
    h.ports.arrive(0, bytes);
    h.lcore.poll_once();
  }
  // All that is in the ring.
  std::vector<Captured> captured() {
    std::vector<Captured> all;
    while (const auto one = ring_->read()) {
      const std::uint64_t port = one->bytes[34] << 8 | one->bytes[35];
      all.emplace_back(
          port, one->reason ? kDropReasonNames[static_cast<std::size_t>(*one->reason)] : "taken");
    }
    return all;
  }

  std::unique_ptr<CaptureRing> ring_;
};

TEST_F(CaptureTest, TakenAndRejectedFramesAreCopiedByteByByte) {
  use(bits(2, 8e6));
  begin({.snap_bytes = 2000});
  const std::vector<Bytes> frames = {frame(1), frame(2, 64), frame(3, 1514)};
  for (const Bytes& one : frames) arrive_frame(one);
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const auto one = ring_->read();
    ASSERT_TRUE(one) << i;
    EXPECT_EQ(Bytes(one->bytes.begin(), one->bytes.end()), frames[i]);
    EXPECT_EQ(one->frame_bytes, frames[i].size());
    EXPECT_EQ(one->at, h.time);
    EXPECT_EQ(one->reason, i < 2 ? std::nullopt : std::optional(DropReason::kBucketFull)) << i;
  }
  EXPECT_FALSE(ring_->read());
  EXPECT_EQ(ring_->matched(), 3U);
  h.run_for(ms(10), kMillisecond);
}

TEST_F(CaptureTest, OnlyTheWantedKind) {
  use(bits(2, 8e6));
  begin({.admitted = false});
  for (std::uint16_t port = 1; port <= 4; ++port) arrive_frame(frame(port));
  EXPECT_EQ(captured(), (std::vector<Captured>{{3, "bucket_full"}, {4, "bucket_full"}}));
  EXPECT_EQ(ring_->matched(), 2U);
  h.transmitter.end_capture(slot_);
  h.run_for(ms(10), kMillisecond);
  begin({.lost = false});
  for (std::uint16_t port = 1; port <= 4; ++port) arrive_frame(frame(port));
  EXPECT_EQ(captured(), (std::vector<Captured>{{1, "taken"}, {2, "taken"}}));
  h.run_for(ms(10), kMillisecond);
}

TEST_F(CaptureTest, ItIsOverWhenItIsOver) {
  use(bits(2, 8e6));
  begin({});
  arrive_frame(frame(1));
  h.transmitter.end_capture(slot_);
  arrive_frame(frame(2));
  EXPECT_EQ(captured().size(), 1U);
  ring_.reset();  // Whoever still wrote to it would be found by the address sanitizer.
  arrive_frame(frame(3));
  h.run_for(ms(10), kMillisecond);
}

TEST_F(CaptureTest, OtherBucketsFramesAreNotCopied) {
  use(bits(2, 8e6));
  const std::uint32_t other = slot_;
  slot_ = h.add_bucket(bits(2, 8e6));
  begin({});
  h.send_all_to(other);
  arrive_frame(frame(1));
  EXPECT_EQ(captured().size(), 0U);
  h.send_all_to(slot_);
  arrive_frame(frame(2));
  EXPECT_EQ(captured().size(), 1U);
  h.run_for(ms(10), kMillisecond);
}

TEST_F(CaptureTest, OneOfSoMany) {
  use(bits(100, 8e6));
  begin({.one_in = 4});
  for (std::uint16_t port = 1; port <= 10; ++port) arrive_frame(frame(port));
  EXPECT_EQ(captured(), (std::vector<Captured>{{4, "taken"}, {8, "taken"}}));
  EXPECT_EQ(ring_->matched(), 10U);
  EXPECT_EQ(ring_->passed_over(), 8U);
  EXPECT_EQ(ring_->lost(), 0U);
  h.run_for(ms(20), kMillisecond);
}

TEST_F(CaptureTest, WhatDoesNotFitIsLostAndCounted) {
  use(bits(10'000, 8e9));
  begin({.snap_bytes = CaptureSettings::kMostSnapBytes});
  const std::size_t slots = ring_->slots();
  for (std::size_t i = 0; i < slots + 5; ++i) arrive_frame(frame(7, 64));
  EXPECT_EQ(ring_->matched(), slots + 5);
  EXPECT_EQ(ring_->lost(), 5U);
  EXPECT_EQ(captured().size(), slots);
  arrive_frame(frame(8, 64));
  EXPECT_EQ(captured(), (std::vector<Captured>{{8, "taken"}}));
  h.run_for(ms(10), kMillisecond);
}

TEST_F(CaptureTest, LongFramesAreCut) {
  use(bits(10, 8e6));
  begin({.snap_bytes = 60});
  const Bytes whole = frame(1);
  arrive_frame(whole);
  const auto one = ring_->read();
  ASSERT_TRUE(one);
  EXPECT_EQ(Bytes(one->bytes.begin(), one->bytes.end()), Bytes(whole.begin(), whole.begin() + 60));
  EXPECT_EQ(one->frame_bytes, 1000U);
  h.run_for(ms(10), kMillisecond);
}

TEST_F(CaptureTest, FramesThatABucketCanNeverTake) {
  BucketSettings settings = bits(10, 8e6);
  settings.overhead_bytes = 1000;
  use(settings);
  begin({});
  arrive_frame(frame(5, 65'000));
  EXPECT_EQ(captured(), (std::vector<Captured>{{5, "too_long"}}));
}

class QueueCaptureTest : public CaptureTest {
 protected:
  void use_fair(std::uint32_t capacity, Duration max_wait = {}) {
    h.transmitter.set_queues(&pools_);
    BucketSettings settings = bits(capacity, 8e6);
    settings.queue.kind = QueueKind::kFair;
    settings.queue.max_wait = max_wait;
    profile_ = std::make_unique<QueueProfile>(QueueProfile::of(settings));
    use(settings);
    h.transmitter.set_queue(slot_, *profile_, nullptr);
  }
  void TearDown() override {
    EXPECT_TRUE(h.balanced());
    h.transmitter.drop_all(h.time);  // Before the pools go.
  }
  std::unique_ptr<QueueProfile> profile_;
};

// The queue takes a newcomer first, and then drops the head of the longest flow for it.
TEST_F(QueueCaptureTest, WhatAQueueDropsForANewcomer) {
  use_fair(3);
  begin({});
  for (const std::uint16_t port : {1, 1, 1, 1, 2}) arrive_frame(frame(port));
  const std::vector<Captured> all = captured();
  EXPECT_EQ(std::count(all.begin(), all.end(), Captured(1, "taken")), 4);
  EXPECT_EQ(std::count(all.begin(), all.end(), Captured(2, "taken")), 1);
  EXPECT_EQ(std::count(all.begin(), all.end(), Captured(1, "queue_overflow")),
            static_cast<std::ptrdiff_t>(h.drops(DropReason::kQueueOverflow)));
  EXPECT_GT(h.drops(DropReason::kQueueOverflow), 0U);
  EXPECT_EQ(ring_->matched(), all.size());
}

TEST_F(QueueCaptureTest, WhatIsDroppedWhenItsTurnComes) {
  use_fair(100, ms(2));
  begin({.admitted = false});
  const TimePoint before = h.time;
  for (std::uint16_t port = 1; port <= 6; ++port) arrive_frame(frame(port));
  h.run_for(ms(20), kMillisecond);
  ASSERT_GT(h.drops(DropReason::kMaxWait), 0U);
  const auto first = ring_->read();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->reason, DropReason::kMaxWait);
  EXPECT_GT(first->at, before + ms(2));
  EXPECT_EQ(captured().size() + 1, h.drops(DropReason::kMaxWait));
}

// Under the thread sanitizer as well.
TEST(CaptureRingTest, AReaderOnAnotherThreadGetsWholeFrames) {
  constexpr std::uint32_t kFrames = 200'000;
  CaptureRing ring({.snap_bytes = 300});
  std::atomic<bool> done{false};
  std::uint64_t read = 0;
  std::thread reader([&] {
    std::uint32_t last = 0;
    for (bool over = false; !over;) {
      over = done.load();
      while (const auto one = ring.read()) {
        ASSERT_GT(one->frame_bytes, last);
        last = one->frame_bytes;
        for (const std::uint8_t byte : one->bytes) {
          ASSERT_EQ(byte, static_cast<std::uint8_t>(one->frame_bytes));
        }
        ++read;
      }
    }
  });
  for (std::uint32_t i = 1; i <= kFrames; ++i) {
    const std::vector<std::uint8_t> bytes(i % 300, static_cast<std::uint8_t>(i));
    ring.offered(bytes, i, TimePoint{i});
    ring.admitted();
  }
  done.store(true);
  reader.join();
  EXPECT_EQ(ring.matched(), kFrames);
  EXPECT_EQ(read + ring.lost(), kFrames);
  EXPECT_GT(read, 0U);
}

}  // namespace
}  // namespace drip::datapath
