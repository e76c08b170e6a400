// SPDX-License-Identifier: BSD-3-Clause
// Lines of the audit log, also when its file is rotated or its disk is full.
#include "access/audit/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip::access {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

AuditRecord record_of(const std::string& target) {
  AuditRecord record;
  record.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'795'827'488'007));
  record.caller = "token \"ci\"";
  record.peer = "ipv4:127.0.0.1:4711";
  record.method = "ShaperService/SetRule";
  record.target = target;
  return record;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::size_t lines_of(const std::string& path) {
  const std::string text = content_of(path);
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(AuditLine, HasWhoWhenFromWhereWhatAndTheResult) {
  AuditRecord record = record_of("rule r1");
  record.before = AuditValue{R"({"priority":1})", nullptr};
  record.after =
      AuditValue{"2", [](std::string_view bytes) { return joined(R"({"priority":)", bytes, "}"); }};
  EXPECT_EQ(json_line(record),
            R"({"time":"2026-11-28T00:58:08.007Z","caller":"token \"ci\"",)"
            R"("peer":"ipv4:127.0.0.1:4711","method":"ShaperService/SetRule","target":"rule r1",)"
            R"("before":{"priority":1},"after":{"priority":2},"result":"OK"})"
            "\n");
}

// A name that a client chose makes no second line.
TEST(AuditLine, TextsAreEscaped) {
  AuditRecord record = record_of("rule a\n{\"x\":\"\\\"}\x01\x7f");
  record.result = "NOT_FOUND";
  record.error = "none\r\n";
  const std::string line = json_line(record);
  EXPECT_THAT(line, HasSubstr(R"("target":"rule a\u000a{\"x\":\"\\\"}\u0001\u007f")"));
  EXPECT_THAT(line, HasSubstr(R"("result":"NOT_FOUND","error":"none\u000d\u000a"})"));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
}

TEST(AuditLine, IsReadBack) {
  AuditRecord record = record_of("rule \"a\"\n\xc3\xa4");
  record.before = AuditValue{R"({"priority":1,"match":{"dst_port":{"first":80}}})", nullptr};
  record.after = AuditValue{"\"begun\"", nullptr};
  const auto read = read_json_line(json_line(record));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(json_line(*read), json_line(record));
  EXPECT_EQ(read->time, record.time);
  EXPECT_EQ(read->target, record.target);
  EXPECT_TRUE(read->ok());
  record.before.reset();
  record.after.reset();
  record.result = "NOT_FOUND";
  record.error = "none";
  EXPECT_EQ(json_line(*read_json_line(json_line(record))), json_line(record));
}

TEST(AuditLine, WhatIsNoneIsNotReadAsOne) {
  const std::string whole = json_line(record_of("rule r1"));
  for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
    EXPECT_FALSE(read_json_line(whole.substr(0, size)).has_value()) << size;
    EXPECT_FALSE(read_json_line(whole.substr(size + 1)).has_value()) << size;
  }
  for (const std::string& line :
       {std::string("[]"), std::string("1"), std::string(R"({"time":1})"),
        std::string(100'000, '['),
        std::string(R"({"time":"2026-13-28T00:58:08.007Z","method":"m","result":"OK"})"),
        std::string(R"({"time":"2026-11-28T00:58:08.007Z and more","method":"m","result":"OK"})"),
        std::string(R"({"time":"2026-11-28T00:58:08.007Z","method":"","result":"OK"})")}) {
    EXPECT_FALSE(read_json_line(line).has_value()) << line.substr(0, 100);
  }
  const std::string deep =
      R"({"time":"2026-11-28T00:58:08.007Z","method":"m","result":"OK","after":)" +
      std::string(50'000, '[') + std::string(50'000, ']') + "}";
  if (const auto record = read_json_line(deep)) {
    EXPECT_LT(json_line(*record).size(), 1000U);
  }
}

TEST(AuditLog, AllLinesAreInTheFileAfterAStop) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("audit.log");
  {
    const auto log = AuditLog::open(path);
    ASSERT_TRUE(log.ok()) << log.status();
    for (int i = 0; i < 5000; ++i) (*log)->record(record_of(joined("rule ", i)));
  }
  struct stat file {};
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600U);
  std::ifstream lines(path);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    ASSERT_EQ(line + "\n", json_line(record_of(joined("rule ", count))));
  }
  EXPECT_EQ(count, 5000);
  { (*AuditLog::open(path))->record(record_of("more")); }
  EXPECT_EQ(lines_of(path), 5001U) << "it is appended to";
}

TEST(AuditLog, AFileThatWasRotatedIsMadeAnew) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("audit.log");
  const auto log = AuditLog::open(path);
  ASSERT_TRUE(log.ok());
  (*log)->record(record_of("first"));
  ASSERT_TRUE(wait_until([&] { return lines_of(path) == 1; }));
  std::filesystem::rename(path, path + ".1");
  (*log)->record(record_of("second"));
  ASSERT_TRUE(wait_until([&] { return lines_of(path) == 1; }));
  EXPECT_THAT(content_of(path), HasSubstr("second"));
  EXPECT_EQ(lines_of(path + ".1"), 1U);
  std::filesystem::rename(path, path + ".2");
  (*log)->reopen();
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(path); })) << "without a line";
}

// /dev/full is a disk without room.
TEST(AuditLog, LinesWaitWhileTheDiskIsFull) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("audit.log");
  std::filesystem::create_symlink("/dev/full", path);
  const auto log = AuditLog::open(path);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_THAT((*log)->warnings(), IsEmpty());
  for (int i = 0; i < 3; ++i) (*log)->record(record_of(joined("rule ", i)));
  ASSERT_TRUE(wait_until([&] { return !(*log)->warnings().empty(); }));
  EXPECT_THAT(
      (*log)->warnings(),
      ElementsAre("audit log: " + path + ": No space left on device; 3 lines wait to be written"));
  std::filesystem::remove(path);  // Now there is room, under the same name.
  ASSERT_TRUE(wait_until([&] { return lines_of(path) == 3; }));
  EXPECT_TRUE(wait_until([&] { return (*log)->warnings().empty(); }));
  EXPECT_THAT(content_of(path), HasSubstr("rule 0"));
}

TEST(AuditLog, WhatDoesNotFitIntoMemoryIsCounted) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("audit.log");
  std::filesystem::create_symlink("/dev/full", path);
  const std::size_t line = json_line(record_of("r")).size();
  const auto log = AuditLog::open(path, 10 * line);
  ASSERT_TRUE(log.ok());
  for (int i = 0; i < 15; ++i) (*log)->record(record_of("r"));
  ASSERT_TRUE(wait_until([&] { return (*log)->warnings().size() == 2; }));
  EXPECT_THAT((*log)->warnings(),
              ElementsAre(HasSubstr("10 lines wait"), "audit log: 5 lines were lost"));
}

std::vector<std::string> targets_of(const std::vector<AuditRecord>& records) {
  std::vector<std::string> targets;
  for (const AuditRecord& record : records) targets.push_back(record.target);
  return targets;
}

TEST(AuditLog, TheEndOfTheFileIsRead) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("audit.log");
  const std::string line = json_line(record_of("rule 0"));
  std::ofstream(path) << line << "no record\n"
                      << json_line(record_of("rule 1")) << json_line(record_of("rule 2"));
  const auto log = AuditLog::open(path);
  ASSERT_TRUE(log.ok());
  EXPECT_THAT(targets_of((*log)->read_tail(1 << 20)), ElementsAre("rule 0", "rule 1", "rule 2"));
  EXPECT_THAT(targets_of((*log)->read_tail(2 * line.size() - 1)), ElementsAre("rule 2"))
      << "of the line before there is only a part";
  EXPECT_THAT((*log)->read_tail(0), IsEmpty());
}

// As a power cut leaves it.
TEST(AuditLog, AfterALineWithoutAnEndTheNextOneIsWhole) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("audit.log");
  const std::string line = json_line(record_of("rule 0"));
  std::ofstream(path) << line << line.substr(0, 30);
  {
    const auto log = AuditLog::open(path);
    ASSERT_TRUE(log.ok());
    EXPECT_THAT(targets_of((*log)->read_tail(1 << 20)), ElementsAre("rule 0"));
    (*log)->record(record_of("rule 1"));
  }
  EXPECT_EQ(content_of(path), line + line.substr(0, 30) + "\n" + json_line(record_of("rule 1")));
  EXPECT_THAT(targets_of((*AuditLog::open(path))->read_tail(1 << 20)),
              ElementsAre("rule 0", "rule 1"));
}

TEST(AuditLog, CannotStartWhereItCannotWrite) {
  EXPECT_EQ(message_of(AuditLog::open("/no/such/audit.log").status()),
            "audit_log: /no/such/audit.log: No such file or directory");
}

}  // namespace
}  // namespace drip::access
