// SPDX-License-Identifier: BSD-3-Clause
// A running dripd whose TSC and CLOCK_MONOTONIC_RAW part, as when a virtual machine is paused.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>

#include "support/client.h"
#include "support/clock_shift.h"
#include "support/dripd_process.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kRate = 1000;
// A minute of departures.
constexpr std::uint32_t kUnits = 60'000;
constexpr std::uint32_t kUnitsOfEntry = 1000;

class DaemonClock : public testing::Test {
 protected:
  DaemonClock() {
    client_.configure("queue", kUnits, kRate);
    v1::AllowRequestsRequest request;
    for (std::uint32_t i = 0; i < kUnits / kUnitsOfEntry; ++i) {
      v1::AllowRequestsEntry& entry = *request.add_entries();
      entry.set_bucket_id("queue");
      entry.set_count(kUnitsOfEntry);
    }
    grpc::ClientContext context;
    const auto stream = v1::RateLimiterService::NewStub(client_.channel())->AllowRequests(&context);
    stream->Write(request);
    stream->WritesDone();
    v1::AllowRequestsResponse response;
    while (stream->Read(&response)) {
    }
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(client_.bucket("queue").allowed_requests(), kUnits);
  }

  /// Departures a second of this process's clock, over `span`.
  double rate_over(std::chrono::seconds span) {
    const auto begin = std::chrono::steady_clock::now();
    const std::uint64_t before = client_.bucket("queue").processed_requests();
    std::this_thread::sleep_for(span);
    const std::uint64_t after = client_.bucket("queue").processed_requests();
    const std::chrono::duration<double> past = std::chrono::steady_clock::now() - begin;
    return static_cast<double>(after - before) / past.count();
  }
  v1::GetNodeResponse node() {
    return client_.call(&v1::ShaperService::Stub::GetNode, std::string());
  }

  ClockShift& shift() { return *file_.shift; }

 private:
  struct ShiftFile {
    ShiftFile() {
      const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (file < 0 || ftruncate(file, sizeof(ClockShift)) != 0) std::abort();
      void* memory = mmap(nullptr, sizeof(ClockShift), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
      close(file);
      if (memory == MAP_FAILED) std::abort();
      shift = static_cast<ClockShift*>(memory);
      shift->clock = CLOCK_MONOTONIC_RAW;
    }
    ~ShiftFile() { munmap(shift, sizeof(ClockShift)); }
    ShiftFile(const ShiftFile&) = delete;
    ShiftFile& operator=(const ShiftFile&) = delete;

    TemporaryDirectory directory;
    std::string path = directory.path_of("shift");
    ClockShift* shift = nullptr;
  };

  ShiftFile file_;

 protected:
  ServingDripd dripd_{
      {}, {{"LD_PRELOAD", std::getenv("CLOCK_SHIFT_LIBRARY")}, {"CLOCK_SHIFT_FILE", file_.path}}};
  Client client_{dripd_.address()};
};

TEST_F(DaemonClock, KeepsTheRateThroughAJumpAndTellsOnce) {
  EXPECT_THAT(node().warnings(), Not(testing::Contains(HasSubstr("have parted"))));
  shift().offset_ns = 4'000'000'000;
  dripd_->logs("CLOCK_MONOTONIC_RAW has jumped by +4.0");
  EXPECT_NEAR(rate_over(std::chrono::seconds(2)), kRate, kRate * 0.02);
  v1::GetNodeResponse after = node();
  EXPECT_EQ(after.clock().jumps(), 1U);
  EXPECT_NEAR(static_cast<double>(after.clock().last_jump_ns()), 4e9, 1e6);
  EXPECT_LT(std::abs(after.clock().offset_ns()), 1'000'000);
  EXPECT_THAT(after.warnings(), testing::Contains(HasSubstr("have parted")));

  shift().offset_ns = 0;
  dripd_->logs("CLOCK_MONOTONIC_RAW has jumped by -4.0");
  EXPECT_NEAR(rate_over(std::chrono::seconds(2)), kRate, kRate * 0.02);
  after = node();
  EXPECT_EQ(after.clock().jumps(), 2U);
  EXPECT_EQ(after.clock().rate_changes(), 0U);
  // A line for each, and no more.
  const std::string log = dripd_->log();
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = log.find("has jumped by", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, 2U) << log;
}

TEST_F(DaemonClock, TakesOverARateThatHasChanged) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  shift().since_ns = std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  shift().rate_ppm = 50'000;
  dripd_->logs("TSC's rate has changed");
  // The test's own clock is not shifted.
  EXPECT_NEAR(rate_over(std::chrono::seconds(2)), kRate * 1.05, kRate * 0.02);
  EXPECT_EQ(node().clock().rate_changes(), 1U);
  EXPECT_EQ(node().clock().jumps(), 0U);
}

}  // namespace
}  // namespace drip
