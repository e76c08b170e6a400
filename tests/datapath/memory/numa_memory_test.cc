// SPDX-License-Identifier: BSD-3-Clause
// Pages are allocated when they are populated, not before.
#include "datapath/memory/numa_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "datapath/memory/bucket_table.h"

namespace drip::datapath {
namespace {

// Whether the page that holds `address` is in memory.
bool resident(const void* address) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  unsigned char in_memory = 0;
  const auto begin = reinterpret_cast<std::uintptr_t>(address) & ~(page - 1);
  EXPECT_EQ(mincore(reinterpret_cast<void*>(begin), page, &in_memory), 0);
  return (in_memory & 1) != 0;
}

TEST(NumaMemoryTest, PopulatesFromTheFirstToTheLastByte) {
  constexpr std::size_t kBytes = 100 * 4096;
  // Smaller than a huge page, so that only what is touched is there.
  const NumaMemory memory(kBytes, -1);
  for (std::size_t at = 0; at < kBytes; at += 4096) ASSERT_FALSE(resident(memory.data() + at));
  constexpr std::size_t kBegin = 3 * 4096 + 100;
  constexpr std::size_t kSize = 2 * 4096;  // Of four pages' bytes, two whole: it touches three.
  memory.populate(kBegin, kSize);
  std::vector<std::size_t> there;
  for (std::size_t at = 0; at < kBytes; at += 4096) {
    if (resident(memory.data() + at)) there.push_back(at / 4096);
  }
  EXPECT_EQ(there, (std::vector<std::size_t>{3, 4, 5}));
  memory.populate(0, 0);
  EXPECT_FALSE(resident(memory.data()));
  EXPECT_TRUE(std::all_of(memory.data(), memory.data() + kBytes,
                          [](std::byte byte) { return byte == std::byte{0}; }));
}

TEST(NumaMemoryTest, MovesWithItsOwner) {
  NumaMemory memory(4096, -1);
  std::byte* const data = memory.data();
  NumaMemory other = std::move(memory);
  EXPECT_EQ(other.data(), data);
  EXPECT_EQ(other.bytes(), 4096U);
}

TEST(NumaMemoryTest, ABucketIsThereBeforeItsHistory) {
  const BucketTable table(16, -1);
  table.populate(15);
  EXPECT_TRUE(resident(&table[15]));
  EXPECT_FALSE(resident(&table.histograms(15)));
  table.prepare_histograms(15);
  EXPECT_TRUE(resident(&table.histograms(15)));
  const auto* const last = reinterpret_cast<const std::byte*>(&table.histograms(15) + 1) - 1;
  EXPECT_TRUE(resident(last));
}

}  // namespace
}  // namespace drip::datapath
