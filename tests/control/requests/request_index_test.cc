// SPDX-License-Identifier: BSD-3-Clause
// The pool and the ordered index of requests, against plain models.
#include "control/requests/request_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <vector>

#include "control/requests/request_pool.h"

namespace drip::control {
namespace {

TEST(RequestPool, IsBoundedAndGivesMemoryBack) {
  RequestPool pool(1000);
  std::vector<RequestHandle> handles;
  for (int i = 0; i < 1000; ++i) handles.push_back(pool.take());
  EXPECT_FALSE(pool.take());
  EXPECT_EQ(pool.outstanding(), 1000U);
  const std::size_t full = pool.memory_bytes();
  std::mt19937 random(7);
  std::shuffle(handles.begin(), handles.end(), random);
  handles.clear();
  EXPECT_EQ(pool.outstanding(), 0U);
  EXPECT_LT(pool.memory_bytes() * 4, full);
  EXPECT_TRUE(pool.take());
}

TEST(RequestPool, ReusesARecordOnlyAfterItsLastHandle) {
  RequestPool pool(1);
  RequestHandle first = pool.take();
  first->id = "x";
  first->record.state = RequestRecord::State::kDeparted;
  RequestHandle second = first;
  first = RequestHandle();
  EXPECT_FALSE(pool.take());
  EXPECT_EQ(second->id, "x");
  second = RequestHandle();
  const RequestHandle again = pool.take();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->record.state.load(), RequestRecord::State::kIdle);
  EXPECT_EQ(again->id, "");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&again->record) % 64, 0U);
}

// What the index is, in a map.
struct Model {
  std::map<std::uint64_t, RequestHandle> waiting;
  std::map<std::uint64_t, std::uint32_t> released;

  [[nodiscard]] Released behind(std::uint64_t sequence) const {
    Released sum;
    for (auto r = released.upper_bound(sequence); r != released.end(); ++r) {
      sum = sum + Released{1, r->second};
    }
    return sum;
  }
};

class RandomIndex : public testing::TestWithParam<unsigned> {};

TEST_P(RandomIndex, AgreesWithTheModel) {
  std::mt19937 random(GetParam());
  RequestPool pool(100'000);
  RequestIndex index;
  Model model;
  // Wraps past 2^32 in the middle.
  std::uint64_t next = (std::uint64_t{1} << 32) - 3000;
  std::vector<std::uint64_t> late;  // Admitted, not yet put into the index.
  const auto put = [&](std::uint64_t sequence) {
    RequestHandle request = pool.take();
    request->record.sequence = static_cast<std::uint32_t>(sequence);
    request->record.wire_bytes = static_cast<std::uint32_t>(sequence % 1500);
    model.waiting.emplace(sequence, request);
    index.insert(std::move(request));
  };
  for (int step = 0; step < 6000; ++step) {
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
      case 3:
        next += random() % 3;  // Packets in between.
        if (random() % 8 == 0) late.push_back(next++);
        put(next++);
        break;
      case 4:
        if (late.empty()) break;
        // A position is exact for all that were in the index when others were released.
        if (model.released.empty() || model.released.rbegin()->first < late.front()) {
          for (const std::uint64_t sequence : late) put(sequence);
        }
        late.clear();
        break;
      case 5:
        if (index.empty()) break;
        EXPECT_EQ(index.pop_front().get(), model.waiting.begin()->second.get());
        model.waiting.erase(model.waiting.begin());
        break;
      default: {
        if (model.waiting.empty()) break;
        auto victim = model.waiting.begin();
        std::advance(victim, random() % model.waiting.size());
        EXPECT_EQ(index.remove(*victim->second).get(), victim->second.get());
        EXPECT_FALSE(index.remove(*victim->second));
        model.released.emplace(victim->first, victim->second->record.wire_bytes);
        model.waiting.erase(victim);
      }
    }
    ASSERT_EQ(index.size(), model.waiting.size());
    if (step % 50 != 0) continue;
    auto expected = model.waiting.begin();
    index.visit_from(
        expected == model.waiting.end() ? 0 : static_cast<std::uint32_t>(expected->first),
        [&](const Request& request, Released behind) {
          EXPECT_EQ(&request, expected->second.get());
          const Released wanted = model.behind(expected->first);
          EXPECT_EQ(behind.units, wanted.units);
          EXPECT_EQ(behind.bytes, wanted.bytes);
          const Released direct = index.released_behind(request.record.sequence);
          EXPECT_EQ(direct.units, wanted.units);
          EXPECT_EQ(direct.bytes, wanted.bytes);
          if (expected == model.waiting.begin()) {
            EXPECT_EQ(index.released().units, wanted.units);
            EXPECT_EQ(index.released().bytes, wanted.bytes);
          }
          ++expected;
          return true;
        });
    EXPECT_TRUE(expected == model.waiting.end());
  }
}

TEST(RequestIndex, StaysExactWhenItIsFilledBackwards) {
  RequestPool pool(10'000);
  RequestIndex index;
  Model model;
  // Each third is released at once, so that every part of a chunk that splits has something behind
  // it. (An index that is filled like this is slow; no real one is.)
  for (std::uint64_t sequence = 3000; sequence-- > 0;) {
    RequestHandle request = pool.take();
    request->record.sequence = static_cast<std::uint32_t>(sequence);
    request->record.wire_bytes = 1;
    model.waiting.emplace(sequence, request);
    index.insert(request);
    if (sequence % 3 != 2 || model.waiting.size() < 3) continue;
    // The one behind it.
    const auto victim = std::next(model.waiting.begin());
    model.released.emplace(victim->first, 1);
    EXPECT_TRUE(index.remove(*victim->second));
    model.waiting.erase(victim);
  }
  std::size_t visited = 0;
  auto expected = model.waiting.begin();
  index.visit_from(0, [&](const Request& request, Released behind) {
    EXPECT_EQ(&request, expected->second.get());
    EXPECT_EQ(behind.units, model.behind(expected->first).units);
    ++expected;
    return ++visited < model.waiting.size();
  });
  EXPECT_EQ(visited, index.size());
  for (const auto& [sequence, request] : model.waiting) {
    EXPECT_EQ(index.released_behind(request->record.sequence).units, model.behind(sequence).units);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomIndex, testing::Range(1U, 9U));

}  // namespace
}  // namespace drip::control
