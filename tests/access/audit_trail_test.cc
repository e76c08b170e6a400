// SPDX-License-Identifier: BSD-3-Clause
// Records in memory and in the log, and how many of refused calls.
#include "access/audit/audit_trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip::access {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::SizeIs;

AuditRecord record_of(const std::string& target) {
  AuditRecord record;
  record.method = "ShaperService/SetRule";
  record.target = target;
  return record;
}

std::vector<NumberedRecordRef> all_of(const AuditTrail& trail) {
  return trail.recent().find(0, 100'000, [](const AuditRecord&) { return true; }).records;
}

TEST(AuditTrail, RecordsAreInMemoryWithoutALog) {
  AuditTrail trail(nullptr);
  trail.record(record_of("rule r1"));
  ASSERT_THAT(all_of(trail), SizeIs(1));
  EXPECT_EQ(all_of(trail)[0]->record.target, "rule r1");
  EXPECT_TRUE(trail.warnings().empty());
}

TEST(AuditTrail, BeginsWithWhatIsInTheLog) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("audit.log");
  for (const char* const target : {"rule r1", "rule r2"}) {
    AuditTrail(*AuditLog::open(path)).record(record_of(target));
  }
  AuditTrail trail(*AuditLog::open(path));
  trail.record(record_of("rule r3"));
  std::vector<std::string> targets;
  for (const NumberedRecordRef& one : all_of(trail)) {
    targets.push_back(joined(one->number, " ", one->record.target));
  }
  EXPECT_THAT(targets, ElementsAre("1 rule r1", "2 rule r2", "3 rule r3"));
}

TEST(AuditTrail, RefusedCallsAreLimitedAndCounted) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("audit.log");
  AuditRecord refused = record_of("");
  refused.result = "PERMISSION_DENIED";
  refused.error = "refused";
  {
    AuditTrail trail(*AuditLog::open(path));
    for (int i = 0; i < 1000; ++i) trail.record_refused(refused);
    trail.record(record_of("a change is always recorded"));
    refused.time += std::chrono::seconds(1);
    trail.record_refused(refused);
    const auto records = all_of(trail);
    ASSERT_THAT(records, SizeIs(AuditTrail::kMostRefusedASecond + 2));
    EXPECT_EQ(records.back()->record.error, "refused (900 more refused calls before)");
  }
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  ASSERT_THAT(lines, SizeIs(AuditTrail::kMostRefusedASecond + 2));
  EXPECT_THAT(lines.back(), EndsWith("refused (900 more refused calls before)\"}"));
}

}  // namespace
}  // namespace drip::access
