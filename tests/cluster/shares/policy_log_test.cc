// SPDX-License-Identifier: BSD-3-Clause
// How many lines the log has of failure policies, however many buckets change.
#include "cluster/shares/policy_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"

namespace drip::cluster {
namespace {

using control::PolicyState;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class PolicyLogTest : public testing::Test {
 protected:
  PolicyLogTest() {
    lines().clear();
    set_log_sink([](LogLevel level, std::string_view line) { lines().emplace_back(level, line); });
  }
  static std::vector<std::pair<LogLevel, std::string>>& lines() {
    static std::vector<std::pair<LogLevel, std::string>> lines;
    return lines;
  }
  void add(int buckets, PolicyState state, bool unreachable) {
    for (int i = 0; i < buckets; ++i) log_.add(joined("b", i), state, unreachable);
  }

  PolicyLog log_;
};

TEST_F(PolicyLogTest, SomeBucketsHaveALineEach) {
  add(10, PolicyState::kClosed, true);
  log_.write("connection refused");
  ASSERT_THAT(lines(), SizeIs(10));
  EXPECT_THAT(lines().front(),
              Pair(LogLevel::kWarning, AllOf(HasSubstr("bucket b0: "), HasSubstr("does not answer"),
                                             HasSubstr("connection refused"))));
}

TEST_F(PolicyLogTest, ManyBucketsHaveALineTogetherForEachWayToChange) {
  add(100'000, PolicyState::kClosed, true);
  add(50'000, PolicyState::kShared, false);
  log_.write("timeout");
  EXPECT_THAT(lines(), testing::UnorderedElementsAre(
                           Pair(LogLevel::kWarning, AllOf(HasSubstr("buckets b0, b1, b2, and 99997 "
                                                                    "others"),
                                                          HasSubstr("timeout"))),
                           Pair(LogLevel::kInfo, HasSubstr("and 49997 others"))));
}

TEST_F(PolicyLogTest, NothingIsSaidTwice) {
  add(3, PolicyState::kClosed, false);
  log_.write("");
  lines().clear();
  log_.write("");
  EXPECT_THAT(lines(), IsEmpty());
}

}  // namespace
}  // namespace drip::cluster
