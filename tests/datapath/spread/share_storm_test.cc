// SPDX-License-Identifier: BSD-3-Clause
// Real threads change shares while others use them: for the thread sanitizer, and for what is used
// together.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "datapath/spread/share_granter.h"
#include "datapath/spread/spread_root.h"

namespace drip::datapath {
namespace {

constexpr std::uint32_t kCores = 4;
constexpr std::uint64_t kChanges = 2000;

// What the transmitters have applied, added up: each adds before it says what it holds. Relaxed, so
// that it orders nothing that the protocol does not.
struct Sum {
  std::atomic<std::uint64_t> applied{kWholeShare};
  std::atomic<std::uint64_t> violations{0};

  void change(std::uint64_t from, std::uint64_t to) {
    const std::uint64_t change = to - from;  // Modulo 2^64.
    const std::uint64_t now = applied.fetch_add(change, std::memory_order_relaxed) + change;
    if (now > kWholeShare) violations.fetch_add(1, std::memory_order_relaxed);
  }
};

TEST(ShareStormTest, WhatThreadsApplyAddsUpToTheWholeAtTheMost) {
  SpreadRoot root(kCores);
  Sum sum;
  // Of each share that is handed on, without a lock: the thread sanitizer would tell if who gets it
  // did not see what was done by it before.
  std::vector<std::uint64_t> used(kCores);
  std::uint64_t handed_on = 0;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> changes{0};
  const auto transmit = [&](std::uint32_t core) {
    std::mt19937_64 random(core + 1);
    std::uint64_t applied = root[core].held();
    while (!stop.load(std::memory_order_relaxed)) {
      // It owns what goes with the larger part of the rate.
      if (applied > kWholeShare / 2) ++handed_on;
      if (const auto share = root[core].next_share()) {
        sum.change(applied, *share);
        applied = *share;
        root[core].hold(applied);
        changes.fetch_add(1, std::memory_order_relaxed);
      }
      if (random() % 64 == 0) {
        const std::uint64_t demand = random() % 3 == 0 ? kWholeShare : random() % kWholeShare;
        root[core].claim({random() % 2 == 0 ? 0 : demand, 0, 1 + random() % 100});
      }
      ++used[core];
      if (used[core] % 16 == 0) std::this_thread::yield();
    }
  };
  std::vector<std::thread> threads;
  for (std::uint32_t core = 0; core < kCores; ++core) threads.emplace_back(transmit, core);
  ShareGranter granter(root);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (changes.load(std::memory_order_relaxed) < kChanges &&
         std::chrono::steady_clock::now() < deadline) {
    granter.plan();
    for (int i = 0; i < 20 && !granter.settled(); ++i) {
      granter.grant();
      std::this_thread::yield();
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(changes.load(), kChanges);
  EXPECT_EQ(sum.violations.load(), 0U);
}

}  // namespace
}  // namespace drip::datapath
