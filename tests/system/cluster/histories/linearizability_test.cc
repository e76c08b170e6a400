// SPDX-License-Identifier: BSD-3-Clause
// The checker itself: histories of which it is known whether they are linearizable.
#include "linearizability.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "revision_model.h"
#include "shared_queue_model.h"

namespace drip {
namespace {

using Queue = SharedQueueModel<2>;
using Kind = Queue::Call::Kind;
using History = std::vector<Operation<Queue::Call>>;

std::chrono::steady_clock::time_point at(int us) {
  return std::chrono::steady_clock::time_point(std::chrono::microseconds(us));
}
Queue::Call allowed(const std::string& id, std::size_t position, bool duplicate = false) {
  return {Kind::kAllow, id, true, true, duplicate, position, {}};
}
Queue::Call full(const std::string& id) { return {Kind::kAllow, id, true, false, false, 0, {}}; }
Queue::Call no_answer(const std::string& id) {
  return {Kind::kAllow, id, false, false, false, 0, {}};
}
Queue::Call released(const std::string& id) {
  return {Kind::kRelease, id, true, false, false, 0, {}};
}
Queue::Call listed(const std::vector<std::string>& ids) {
  return {Kind::kList, "", true, false, false, 0, ids};
}

bool holds(const History& history) {
  const Linearizability result = check_linearizable<Queue>(history, {});
  EXPECT_TRUE(result.decided);
  EXPECT_EQ(result.holds, result.explanation.empty());
  return result.holds;
}

TEST(LinearizabilityTest, WhatHappensAtOneTimeMayComeInAnyOrder) {
  EXPECT_TRUE(holds({{allowed("a", 2), at(0), at(10)}, {allowed("b", 1), at(1), at(9)}}));
  EXPECT_TRUE(holds({{allowed("a", 1), at(0), at(10)}, {allowed("b", 2), at(1), at(9)}}));
  // One after the other they may not.
  EXPECT_FALSE(holds({{allowed("a", 2), at(0), at(10)}, {allowed("b", 1), at(11), at(19)}}));
  EXPECT_TRUE(holds({}));
}

TEST(LinearizabilityTest, OneAdmissionAPosition) {
  EXPECT_FALSE(holds({{allowed("a", 1), at(0), at(10)}, {allowed("b", 1), at(1), at(9)}}));
  EXPECT_TRUE(holds({{allowed("a", 1), at(0), at(10)},
                     {released("a"), at(11), at(20)},
                     {allowed("b", 1), at(12), at(19)}}));
  EXPECT_FALSE(holds({{allowed("a", 1), at(0), at(10)}, {allowed("a", 1), at(1), at(9)}}));
  EXPECT_TRUE(holds({{allowed("a", 1), at(0), at(10)}, {allowed("a", 1, true), at(1), at(9)}}));
}

TEST(LinearizabilityTest, FullOnlyWhenItIs) {
  EXPECT_FALSE(holds({{allowed("a", 1), at(0), at(5)}, {full("b"), at(6), at(9)}}));
  EXPECT_TRUE(holds({{allowed("a", 1), at(0), at(5)},
                     {full("c"), at(1), at(9)},
                     {allowed("b", 2), at(3), at(7)}}));
}

TEST(LinearizabilityTest, AReadIsNotStale) {
  const History history = {{allowed("a", 1), at(0), at(5)}, {listed({}), at(6), at(9)}};
  EXPECT_FALSE(holds(history));
  const Linearizability result = check_linearizable<Queue>(history, {});
  EXPECT_EQ(result.explanation,
            "after\n  allow(a) = 1 from 0 us to 5 us\nnone of these can be next:\n"
            "  list() = from 6 us to 9 us");
  EXPECT_TRUE(holds({{allowed("a", 1), at(0), at(5)}, {listed({}), at(4), at(9)}}));
}

TEST(LinearizabilityTest, WhatWasNotAnsweredHappenedInItsTimeOrNotAtAll) {
  const Operation<Queue::Call> unknown = {no_answer("a"), at(0), at(10), true};
  EXPECT_TRUE(holds({unknown, {listed({}), at(11), at(12)}}));
  EXPECT_TRUE(holds({unknown, {listed({"a"}), at(11), at(12)}}));
  EXPECT_FALSE(holds({unknown, {listed({}), at(11), at(12)}, {listed({"a"}), at(13), at(14)}}));
  const Operation<Queue::Call> endless = {no_answer("a"), at(0), Operation<Queue::Call>::kNever,
                                          true};
  EXPECT_TRUE(holds({endless, {listed({}), at(11), at(12)}, {listed({"a"}), at(13), at(14)}}));
  EXPECT_FALSE(holds({endless, {listed({"a"}), at(11), at(12)}, {listed({}), at(13), at(14)}}));
}

TEST(LinearizabilityTest, NoUpdateIsLost) {
  using Set = Operation<RevisionModel::Call>;
  const auto check = [](const std::vector<Set>& history) {
    return check_linearizable<RevisionModel>(history, 1).holds;
  };
  EXPECT_TRUE(check({{{1, 4, 0}, at(0), at(9)}, {{1, 0, 4}, at(1), at(5)}}));
  EXPECT_FALSE(check({{{1, 4, 0}, at(0), at(9)}, {{1, 5, 0}, at(1), at(5)}}));
  EXPECT_FALSE(check({{{1, 4, 0}, at(0), at(9)}, {{4, 3, 0}, at(10), at(15)}}));
  EXPECT_FALSE(check({{{1, 0, 4}, at(0), at(2)}, {{1, 4, 0}, at(3), at(5)}}));
}

// Where nobody is alone, and nothing fits, all orders of 8 are tried once, not 8! times.
TEST(LinearizabilityTest, WhereItHasBeenItDoesNotGoAgain) {
  History history;
  for (int i = 0; i < 16; ++i) history.push_back({full(std::to_string(i)), at(0), at(9)});
  history.push_back({listed({"x"}), at(0), at(9)});
  history.insert(history.begin(),
                 {{allowed("a", 1), at(0), at(9)}, {allowed("b", 2), at(0), at(9)}});
  EXPECT_FALSE(holds(history));
}

}  // namespace
}  // namespace drip
