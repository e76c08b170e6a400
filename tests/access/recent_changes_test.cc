// SPDX-License-Identifier: BSD-3-Clause
// The last records in memory: their bounds, their order, and how they are found.
#include "access/audit/recent_changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"

namespace drip::access {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

AuditRecord change(const std::string& target) {
  AuditRecord record;
  record.method = "ShaperService/SetRule";
  record.target = target;
  return record;
}

AuditRecord failure(const std::string& target) {
  AuditRecord record = change(target);
  record.result = "NOT_FOUND";
  record.error = "none";
  return record;
}

bool any(const AuditRecord&) { return true; }

std::vector<std::string> found(const RecentChanges& changes, std::uint64_t first = 0,
                               std::size_t limit = 1'000'000) {
  std::vector<std::string> texts;
  for (const NumberedRecordRef& one : changes.find(first, limit, any).records) {
    texts.push_back(joined(one->number, " ", one->record.target));
  }
  return texts;
}

TEST(RecentChanges, AreInTheOrderInWhichTheyCame) {
  RecentChanges changes;
  EXPECT_THAT(found(changes), IsEmpty());
  for (const char* target : {"a", "b"}) changes.add(change(target));
  for (const char* target : {"c", "d"}) changes.add(failure(target));
  changes.add(change("e"));
  EXPECT_THAT(found(changes), ElementsAre("1 a", "2 b", "3 c", "4 d", "5 e"));
  EXPECT_THAT(found(changes, 2, 2), ElementsAre("2 b", "3 c"));
  EXPECT_EQ(changes.find(2, 2, any).next, 4U);
  EXPECT_EQ(changes.find(2, 4, any).next, std::nullopt);
  EXPECT_THAT(found(changes, 6), IsEmpty());
}

TEST(RecentChanges, OnlyWhatIsWantedCounts) {
  RecentChanges changes;
  for (const char* target : {"a", "b", "a", "b", "a"}) changes.add(change(target));
  const auto is_a = [](const AuditRecord& record) { return record.target == "a"; };
  const auto page = changes.find(0, 2, is_a);
  ASSERT_EQ(page.records.size(), 2U);
  EXPECT_EQ(page.records[1]->number, 3U);
  EXPECT_EQ(page.next, 5U);
  EXPECT_EQ(changes.first_of_last(1, is_a), 5U);
  EXPECT_EQ(changes.first_of_last(2, is_a), 3U);
  EXPECT_EQ(changes.first_of_last(3, is_a), 1U);
  EXPECT_EQ(changes.first_of_last(4, is_a), 0U);
}

TEST(RecentChanges, TakeNoMoreMemoryThanTheyMay) {
  RecentChanges changes(10'000, 10'000);
  for (int i = 0; i < 1000; ++i) {
    AuditRecord record = change(joined("r", i));
    record.after = AuditValue{std::string(500, 'x'), nullptr};
    changes.add(std::move(record));
  }
  const auto records = found(changes);
  EXPECT_GT(records.size(), 5U);
  EXPECT_LT(records.size(), 20U);  // Of at least 500 B.
  EXPECT_EQ(records.back(), "1000 r999");
  EXPECT_EQ(changes.forgotten(), 1000 - records.size());
}

// Who may change nothing can fail as often as he likes.
TEST(RecentChanges, FailuresPushOutNoChange) {
  RecentChanges changes(10'000, 10'000);
  changes.add(change("a"));
  for (int i = 0; i < 1000; ++i) changes.add(failure("f"));
  EXPECT_EQ(found(changes).front(), "1 a");
  for (int i = 0; i < 1000; ++i) changes.add(change("c"));
  const auto failed = changes.find(0, 1'000'000, [](const AuditRecord& one) { return !one.ok(); });
  ASSERT_FALSE(failed.records.empty());
  EXPECT_EQ(failed.records.back()->number, 1001U) << "nor changes a failure";
}

TEST(RecentChanges, ATextOrValueOfAClientIsBounded) {
  RecentChanges changes(100'000, 100'000);
  // Two bytes a letter; it is not cut within one.
  std::string text = "x";
  for (int i = 0; i < 100'000; ++i) text += "\xc3\xa4";
  AuditRecord record = change(text);
  record.before = AuditValue{std::string(RecentChanges::kMostValue, 'x'), nullptr};
  record.after = AuditValue{std::string(RecentChanges::kMostValue + 1, 'x'), nullptr};
  changes.add(record);
  const auto kept = changes.find(0, 1, any).records.at(0);
  EXPECT_EQ(kept->record.target, text.substr(0, RecentChanges::kMostText - 1) + "...");
  EXPECT_EQ(kept->record.before->json().size(), RecentChanges::kMostValue);
  EXPECT_EQ(kept->record.after->json(), "\"65537 bytes, left out\"");
}

}  // namespace
}  // namespace drip::access
