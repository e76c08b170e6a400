// SPDX-License-Identifier: BSD-3-Clause
// The sequence lock: versions, and readers that never see half a write.
#include "drip/sequence_lock.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <thread>

namespace drip {
namespace {

TEST(SequenceLock, AReadIsValidUnlessAWriteTouchedIt) {
  SequenceLock lock;
  EXPECT_FALSE(lock.written());
  const std::uint32_t before = lock.begin_read();
  EXPECT_TRUE(lock.is_valid(before));
  lock.begin_write();
  EXPECT_TRUE(lock.written());
  EXPECT_FALSE(lock.is_valid(before));
  EXPECT_FALSE(lock.is_current(before));
  const std::uint32_t during = lock.begin_read();
  EXPECT_FALSE(lock.is_valid(during));
  lock.end_write();
  EXPECT_FALSE(lock.is_valid(during));
  EXPECT_FALSE(lock.is_valid(before));
  const std::uint32_t after = lock.begin_read();
  EXPECT_TRUE(lock.is_valid(after));
  EXPECT_TRUE(lock.is_current(after));
}

TEST(SequenceLock, ReadersSeeNoHalfAWrite) {
  constexpr std::uint64_t kWrites = 200'000;
  SequenceLock lock;
  std::array<std::atomic<std::uint64_t>, 4> data{};
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t value = 1; value <= kWrites; ++value) {
      lock.begin_write();
      for (auto& number : data) number.store(value, std::memory_order_relaxed);
      lock.end_write();
    }
    done = true;
  });
  std::uint64_t last = 0;
  while (last < kWrites) {
    const bool was_done = done;
    const std::uint32_t version = lock.begin_read();
    std::array<std::uint64_t, 4> copy;
    for (std::size_t i = 0; i < copy.size(); ++i) copy[i] = data[i].load(std::memory_order_relaxed);
    if (!lock.is_valid(version)) continue;
    for (const std::uint64_t number : copy) ASSERT_EQ(number, copy[0]);
    ASSERT_GE(copy[0], last);
    last = copy[0];
    ASSERT_TRUE(!was_done || last == kWrites);
  }
  writer.join();
}

}  // namespace
}  // namespace drip
