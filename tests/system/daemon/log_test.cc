// SPDX-License-Identifier: BSD-3-Clause
// What dripd writes: nothing but its log, whatever its libraries and clients do.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/dripd_process.h"

namespace drip {
namespace {

using testing::ContainsRegex;
using testing::IsEmpty;
using Clock = std::chrono::steady_clock;

// Buffers and devices that need no rights.
const std::vector<std::string> kDevices = {
    "--hugepages",         "never",  "--mbufs",     "8192",   "--idle", "sleep", "--port",
    "a=net_null0,no-rx=1", "--port", "b=net_ring0", "--pair", "a:b"};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// Lines that are none of the log, which begin with time and level.
std::vector<std::string> foreign_lines(const std::string& text) {
  const std::regex ours(
      R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} (debug|info|warning|error) [^\x01-\x1f]+)");
  std::vector<std::string> foreign;
  for (const std::string& line : lines_of(text)) {
    if (!std::regex_match(line, ours)) foreign.push_back(line);
  }
  return foreign;
}

TEST(Log, IsAllThatANodeWithoutPortsWrites) {
  ServingDripd dripd;
  Client(dripd.address()).configure("a", 10, 1);
  const Outcome outcome = dripd->stop();
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(foreign_lines(outcome.err), IsEmpty());
  EXPECT_EQ(lines_of(outcome.err).size(), 3U) << outcome.err;
}

TEST(Log, IsAllThatANodeWithDevicesWrites) {
  ServingDripd dripd(kDevices);
  const Outcome outcome = dripd->stop();
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(foreign_lines(outcome.err), IsEmpty());
  EXPECT_THAT(outcome.err, ContainsRegex(" info EAL: Detected CPU lcores")) << "at its own level";
}

TEST(Log, LevelAppliesToWhatEalWrites) {
  std::vector<std::string> flags = kDevices;
  flags.insert(flags.end(), {"--log-level", "error", "--listen", "nonsense"});
  const Outcome outcome = DripdProcess(flags).wait();
  EXPECT_EQ(lines_of(outcome.err).size(), 1U) << outcome.err;
}

// EAL prints its usage to stdout, and what is wrong to stderr, past its own log.
TEST(Log, HasWhatEalPrintsWhenItRefuses) {
  std::vector<std::string> flags = kDevices;
  flags.insert(flags.end(), {"--eal", "--nonsense"});
  const Outcome outcome = DripdProcess(flags).wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(foreign_lines(outcome.err), IsEmpty());
  EXPECT_THAT(outcome.err, ContainsRegex("unrecognized option '--nonsense'"));
  EXPECT_THAT(outcome.err, ContainsRegex(" error EAL: "));
}

TEST(Log, HasWhatADriverWrites) {
  const Outcome outcome =
      DripdProcess({"--hugepages", "never", "--mbufs", "8192", "--idle", "sleep", "--port",
                    "a=net_pcap0,rx_pcap=/no/such/file", "--hairpin", "a"})
          .wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(foreign_lines(outcome.err), IsEmpty());
  EXPECT_THAT(outcome.err, ContainsRegex(" error [^ ]+: Couldn't open /no/such/file"));
}

// Calls with messages as bytes, one after another.
class RawClient {
 public:
  explicit RawClient(const std::string& address) : client_(address), stub_(client_.channel()) {}

  grpc::Status call(const std::string& method, const std::string& bytes) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    const grpc::Slice slice(bytes);
    const auto call =
        stub_.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&slice, 1), &queue_);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    return status;
  }

 private:
  Client client_;
  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
};

constexpr const char* kAllowRequest = "/drip.v1.RateLimiterService/AllowRequest";
// Field 1, a string of three bytes, of which two are no UTF-8.
const std::string kNoUtf8(
    "\x0a\x03\xff\xfe"
    "a",
    5);
// Field 1, a string of 100 bytes that does not come.
const std::string kTruncated(
    "\x0a\x64"
    "abc",
    5);

// Of every line on parse errors: how many it stands for.
std::uint64_t parse_errors_in(const std::string& log, std::uint64_t& lines) {
  const std::regex pattern(R"( error Protobuf: (.*invalid UTF-8.*?)?( ?\(?(\d+) more since .*)?$)");
  std::uint64_t errors = 0;
  lines = 0;
  for (const std::string& line : lines_of(log)) {
    std::smatch match;
    if (!std::regex_search(line, match, pattern)) continue;
    ++lines;
    if (match[1].matched) ++errors;
    if (match[3].matched) errors += std::stoull(match[3]);
  }
  return errors;
}

TEST(Log, TellsMalformedMessagesOnceASecondWithTheirNumber) {
  constexpr std::uint64_t kMessages = 5000;
  ServingDripd dripd;
  RawClient client(dripd.address());
  const Clock::time_point begin = Clock::now();
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    EXPECT_FALSE(client.call(kAllowRequest, kNoUtf8).ok());
    EXPECT_FALSE(client.call(kAllowRequest, kTruncated).ok());
  }
  // What came last is logged with its number after a second, without a further message.
  std::uint64_t lines = 0;
  while (parse_errors_in(dripd->log(), lines) < kMessages &&
         Clock::now() < begin + std::chrono::seconds(30)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin);
  const Outcome outcome = dripd->stop();
  EXPECT_EQ(parse_errors_in(outcome.err, lines), kMessages) << outcome.err;
  EXPECT_LE(lines, static_cast<std::uint64_t>(seconds.count()) + 2) << outcome.err;
  EXPECT_THAT(foreign_lines(outcome.err), IsEmpty());
}

}  // namespace
}  // namespace drip
