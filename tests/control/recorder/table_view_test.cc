// SPDX-License-Identifier: BSD-3-Clause
// Parts of the table in each order: as trees, flat, filtered, and as a tenant sees it.
#include "control/recorder/table_view.h"

#include <gtest/gtest.h>

#include <random>

#include "control/recorder/bucket_recorder.h"
#include "recorder_fixture.h"

namespace drip::control {
namespace {

using Lines = std::vector<std::string>;

class TableViewTest : public RecorderFixture {
 protected:
  TableViewTest() {
    inner("up");
    inner("acme/mid", "up");
    leaf("acme/a", "acme/mid");
    leaf("acme/b", "acme/mid");
    leaf("other", "up");
    leaf("alone");
    recorder_.step();
    offer("alone", 1);
    offer("acme/a", 2);
    offer("acme/b", 3);
    offer("other", 4);
    step(recorder_);
  }
  void inner(const std::string& id, const std::string& parent = "") {
    configure("bucket_id: '" + id + "' inner: true leak_rate_bps: 8000000000 parent_id: '" +
              parent + "'");
  }
  void leaf(const std::string& id, const std::string& parent = "") {
    configure("bucket_id: '" + id + "' capacity: 9 leak_rate_bps: 8000000000 parent_id: '" +
              parent + "'");
  }
  // Each line: two blanks for each level, the id, a + if another one follows.
  Lines lines(const TableView& view) {
    const ViewedTable table = viewed(recorder_.record().table, view);
    total_ = table.total;
    Lines lines;
    for (const ViewedRow& row : table.rows) {
      lines.push_back(std::string(2 * row.depth, ' ') +
                      std::string(recorder_.record().table.rows()[row.row].id()) +
                      ((row.continues >> row.depth & 1) != 0 ? "+" : ""));
    }
    return lines;
  }

  BucketRecorder recorder_{node_->context().engine, node_->context().buckets,
                           node_->context().configuration, nullptr, 0};
  std::size_t total_ = 0;
};

TEST_F(TableViewTest, FlatAreLeavesByRate) {
  TableView view;
  EXPECT_EQ(lines(view), (Lines{"other+", "acme/b+", "acme/a+", "alone"}));
  view.reverse = true;
  EXPECT_EQ(lines(view), (Lines{"alone+", "acme/a+", "acme/b+", "other"}));
  view.reverse = false;
  view.order = ViewOrder::kId;
  EXPECT_EQ(lines(view), (Lines{"acme/a+", "acme/b+", "alone+", "other"}));
  view.reverse = true;
  EXPECT_EQ(lines(view), (Lines{"other+", "alone+", "acme/b+", "acme/a"}));
}

TEST_F(TableViewTest, TreesAreSortedLevelByLevel) {
  TableView view;
  view.tree = true;
  view.order = ViewOrder::kId;
  EXPECT_EQ(lines(view),
            (Lines{"alone+", "up", "  acme/mid+", "    acme/a+", "    acme/b", "  other"}));
  view.order = ViewOrder::kUnits;
  // The fake engine counts nothing of inner nodes.
  EXPECT_EQ(lines(view),
            (Lines{"alone+", "up", "  other+", "  acme/mid", "    acme/b+", "    acme/a"}));
  EXPECT_EQ(total_, 6U);
}

TEST_F(TableViewTest, EachPageIsAPartOfTheWhole) {
  std::minstd_rand random(1);
  for (int i = 0; i < 60; ++i) leaf("acme/c" + std::to_string(i), i % 2 == 0 ? "acme/mid" : "up");
  recorder_.step();
  for (int i = 0; i < 60; ++i) offer("acme/c" + std::to_string(i), static_cast<int>(random() % 9));
  step(recorder_);
  for (const bool tree : {true, false}) {
    for (int order = 0; order < 8; ++order) {
      TableView view;
      view.tree = tree;
      view.order = static_cast<ViewOrder>(order);
      view.limit = 1000;
      const Lines whole = lines(view);
      EXPECT_EQ(whole.size(), tree ? 66U : 64U);
      for (const std::size_t limit : {1, 7, 20}) {
        view.limit = limit;
        Lines pages;
        for (view.offset = 0; view.offset < whole.size() + 3; view.offset += limit) {
          const Lines page = lines(view);
          EXPECT_LE(page.size(), limit);
          EXPECT_EQ(total_, whole.size());
          pages.insert(pages.end(), page.begin(), page.end());
        }
        EXPECT_EQ(pages, whole);
      }
    }
  }
}

TEST_F(TableViewTest, AFilterKeepsWhatIsAbove) {
  TableView view;
  view.id_contains = "ME/B";
  EXPECT_EQ(lines(view), Lines{"acme/b"});
  view.tree = true;
  EXPECT_EQ(lines(view), (Lines{"up", "  acme/mid", "    acme/b"}));
  EXPECT_EQ(total_, 3U);
  view.id_contains = "nothing";
  EXPECT_EQ(lines(view), Lines{});
}

TEST_F(TableViewTest, ATenantSeesItsOwnOnly) {
  TableView view;
  view.id_prefix = "acme/";
  view.order = ViewOrder::kId;
  EXPECT_EQ(lines(view), (Lines{"acme/a+", "acme/b"}));
  view.tree = true;
  EXPECT_EQ(lines(view), (Lines{"acme/mid", "  acme/a+", "  acme/b"}));
  EXPECT_EQ(viewed(recorder_.record().table, view).buckets, 3U);
  // Sums are over what has no parent that the viewer knows.
  view.id_prefix = "acme/a";
  const ViewedTable own = viewed(recorder_.record().table, view);
  EXPECT_EQ(own.buckets, 1U);
  EXPECT_DOUBLE_EQ(own.units_per_second, 1);
}

TEST_F(TableViewTest, AnEmptyTableIsEmpty) {
  const BucketTable empty;
  EXPECT_TRUE(viewed(empty, {}).rows.empty());
}

}  // namespace
}  // namespace drip::control
