// SPDX-License-Identifier: BSD-3-Clause
// Trees, orders, searches, and what a bucket waits for.
#include "control/recorder/bucket_table.h"

#include <gtest/gtest.h>

#include "recorder_fixture.h"

namespace drip::control {
namespace {

using Ids = std::vector<std::string>;

class BucketTableTest : public RecorderFixture {
 protected:
  // A row for each bucket of the node, in order of id; parents by id.
  void make(const std::vector<std::pair<std::string, std::string>>& buckets) {
    for (const auto& bucket : buckets) {
      const std::string& id = bucket.first;
      const std::string& parent = bucket.second;
      const bool inner =
          std::ranges::any_of(buckets, [&](const auto& other) { return other.second == id; });
      configure("bucket_id: '" + id + "' leak_rate_bps: 8000 " +
                (inner ? "inner: true" : "capacity: 9") +
                (parent.empty() ? "" : " parent_id: '" + parent + "'"));
      ASSERT_TRUE(status_.ok()) << status_.error_message();
    }
    for (const auto& bucket : node_->context().buckets.list("", "", 1000)) {
      BucketRow& row = rows_.emplace_back();
      row.bucket = bucket;
      row.in_tree = bucket->place().in_tree();
    }
    for (BucketRow& row : rows_) {
      const std::string parent = row.bucket->place().parent_id;
      for (std::uint32_t i = 0; i < rows_.size(); ++i) {
        if (rows_[i].id() == parent) row.parent = i;
      }
    }
  }
  BucketRow& row(const std::string& id) {
    return *std::ranges::find(rows_, id, [](const BucketRow& one) { return one.id(); });
  }
  void settle() { table_.set_rows(std::move(rows_)); }
  [[nodiscard]] Ids ids(std::span<const std::uint32_t> rows) const {
    Ids ids;
    for (const std::uint32_t one : rows) ids.emplace_back(table_.rows()[one].id());
    return ids;
  }
  [[nodiscard]] Limit limit(const std::string& id) const {
    return table_.limit_of(*table_.find(id));
  }

  std::vector<BucketRow> rows_;
  BucketTable table_;
};

TEST_F(BucketTableTest, LevelsAreInOrderOfName) {
  make({{"up", ""}, {"z", "up"}, {"a", "up"}, {"m", "up"}, {"alone", ""}});
  settle();
  EXPECT_EQ(ids(table_.roots()), (Ids{"alone", "up"}));
  EXPECT_EQ(ids(table_.children(*table_.find("up"))), (Ids{"a", "m", "z"}));
  EXPECT_EQ(ids(table_.children(*table_.find("a"))), Ids{});
  EXPECT_EQ(table_.find("b"), std::nullopt);
  EXPECT_EQ(table_.find("zz"), std::nullopt);
}

TEST_F(BucketTableTest, AnEmptyOneHasNoRows) {
  EXPECT_TRUE(table_.roots().empty());
  settle();
  EXPECT_TRUE(table_.roots().empty());
  EXPECT_EQ(table_.search("a", 10).total, 0U);
}

TEST_F(BucketTableTest, PagesOfALevelDoNotOverlap) {
  make({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}, {"e", ""}});
  row("d").bits_per_second = 5;
  row("b").bits_per_second = 9;
  row("e").backlog_below = 3;
  row("c").lost_per_second = 0.5;
  settle();
  const auto sorted = [&](SortBy by, std::size_t offset, std::size_t limit) {
    return ids(table_.sorted(table_.roots(), by, offset, limit));
  };
  EXPECT_EQ(sorted(SortBy::kName, 1, 2), (Ids{"b", "c"}));
  EXPECT_EQ(sorted(SortBy::kRate, 0, 2), (Ids{"b", "d"}));
  EXPECT_EQ(sorted(SortBy::kRate, 2, 2), (Ids{"a", "c"}));
  EXPECT_EQ(sorted(SortBy::kRate, 4, 2), (Ids{"e"}));
  EXPECT_EQ(sorted(SortBy::kRate, 9, 2), Ids{});
  EXPECT_EQ(sorted(SortBy::kBacklog, 0, 1), (Ids{"e"}));
  EXPECT_EQ(sorted(SortBy::kLoss, 0, 1), (Ids{"c"}));
}

TEST_F(BucketTableTest, AtTheTopAreLeavesThatDoSomething) {
  make({{"up", ""}, {"a", "up"}, {"b", "up"}, {"c", ""}});
  row("up").bits_per_second = 100;
  row("b").bits_per_second = 60;
  row("c").bits_per_second = 70;
  settle();
  EXPECT_EQ(ids(table_.top(SortBy::kRate, 10)), (Ids{"c", "b"}));
  EXPECT_EQ(ids(table_.top(SortBy::kRate, 1)), (Ids{"c"}));
  EXPECT_EQ(ids(table_.top(SortBy::kLoss, 10)), Ids{});
}

TEST_F(BucketTableTest, ASearchPrefersTheSameIdThenItsBeginning) {
  make({{"a-cust-1", ""}, {"cust-1", ""}, {"cust-10", ""}, {"cust-11", ""}, {"other", ""}});
  settle();
  const auto found = table_.search("CUST-1", 10);
  EXPECT_EQ(found.total, 4U);
  EXPECT_EQ(ids(found.rows), (Ids{"cust-1", "cust-10", "cust-11", "a-cust-1"}));
  EXPECT_EQ(table_.search("cust-1", 2).total, 4U);
  EXPECT_EQ(ids(table_.search("cust-1", 2).rows), (Ids{"cust-1", "cust-10"}));
  EXPECT_EQ(table_.search("nobody", 2).total, 0U);
}

TEST_F(BucketTableTest, WhatABucketWaitsFor) {
  make({{"root", ""}, {"mid", "root"}, {"leaf", "mid"}, {"other", "mid"}, {"flat", ""}});
  for (BucketRow& one : rows_) one.backlog_below = 1;
  row("root").state = NodeState::kParked;
  row("mid").state = NodeState::kReady;
  row("leaf").state = NodeState::kReady;
  row("other").state = NodeState::kHeld;
  settle();
  EXPECT_EQ(limit("flat").by, Limit::By::kItself);
  EXPECT_EQ(limit("root").by, Limit::By::kItself);
  EXPECT_EQ(limit("other").by, Limit::By::kEgress);
  EXPECT_EQ(limit("leaf").by, Limit::By::kAncestor);
  EXPECT_EQ(limit("leaf").ancestor, *table_.find("root"));
  rows_ = table_.take_rows();
  row("root").state = NodeState::kReady;
  row("flat").paused = true;
  row("other").backlog_below = 0;
  settle();
  EXPECT_EQ(limit("leaf").by, Limit::By::kSiblings);
  EXPECT_EQ(limit("flat").by, Limit::By::kLease);
  EXPECT_EQ(limit("other").by, Limit::By::kNothing);
}

}  // namespace
}  // namespace drip::control
