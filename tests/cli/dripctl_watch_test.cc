// SPDX-License-Identifier: BSD-3-Clause
// `bucket watch`: the rates it computes, and every way in which it ends.
#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>

#include "dripctl_fixture.h"

namespace drip {
namespace {

using testing::ContainsRegex;

class DripctlWatchTest : public DripctlTest {
 protected:
  void add_state(std::int64_t ms, std::uint64_t total, std::uint64_t processed) {
    v1::WatchBucketsResponse state;
    state.set_monotonic_ns(ms * 1'000'000);
    state.set_time(1'700'000'000'000 + ms);
    v1::Bucket* bucket = state.add_buckets();
    bucket->set_bucket_id("b");
    bucket->set_total_requests(total);
    bucket->set_rejected_requests(total / 2);
    bucket->set_processed_requests(processed);
    bucket->set_processed_bytes(processed * 125);
    server_->reply(state);
  }
};

TEST_F(DripctlWatchTest, ShowsRatesOverEachInterval) {
  add_state(0, 1000, 500);
  add_state(500, 2000, 600);   // 2000/s arrived, 1000/s rejected, 200/s processed, 200 kbit/s.
  add_state(1500, 2000, 601);  // 1/s over a second.
  add_state(2000, 10, 5);      // Made anew: no rate can be told.
  const Outcome outcome = dripctl("bucket watch b --interval 500ms --count 3");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto table = lines(outcome.out);
  ASSERT_EQ(table.size(), 4U) << outcome.out;
  EXPECT_THAT(table[0], ContainsRegex("TIME +BUCKET +QUEUE +ARRIVED +REJECTED +PROCESSED +BITS"));
  EXPECT_THAT(table[1], ContainsRegex("\\.500  b +0 +2k/s +1k/s +200/s +200kbit$"));
  EXPECT_THAT(table[2], ContainsRegex("b +0 +0/s +0/s +1/s +1kbit$"));
  EXPECT_THAT(table[3], ContainsRegex("b +0 +- +- +- +-$"));
  const auto request = asked<v1::WatchBucketsRequest>();
  EXPECT_EQ(request.interval_ms(), 500U);
  EXPECT_EQ(request.filter().bucket_ids_size(), 1);
}

// A bucket made anew may by chance have counted more than the old one in some of its counters.
TEST_F(DripctlWatchTest, ShowsNoRateWhenAnyCounterWentBack) {
  add_state(0, 1000, 500);
  add_state(1000, 2000, 400);
  add_state(2000, 1000, 800);
  for (const std::string& line : lines(dripctl("bucket watch --json").out)) {
    const auto state = nlohmann::json::parse(line);
    EXPECT_FALSE(state["buckets"][0].contains("processed_per_second")) << line;
  }
  EXPECT_EQ(lines(dripctl("bucket watch --json").out).size(), 2U);
}

TEST_F(DripctlWatchTest, CountLimitsTheIntervals) {
  for (int i = 0; i < 10; ++i) add_state(i * 100, 0, 0);
  server_->hold = true;
  EXPECT_EQ(lines(dripctl("bucket watch --count 4").out).size(), 1U + 4U);
}

TEST_F(DripctlWatchTest, JsonIsOneLineForEachInterval) {
  add_state(0, 0, 0);
  add_state(1000, 10, 4);
  add_state(3000, 20, 8);
  const auto text = lines(dripctl("bucket watch b --json").out);
  ASSERT_EQ(text.size(), 2U);
  const auto state = nlohmann::json::parse(text[1])["buckets"][0];
  EXPECT_EQ(state["processed_requests"], 8);
  EXPECT_EQ(state["arrived_per_second"], 5.0);
  EXPECT_EQ(state["processed_per_second"], 2.0);
  EXPECT_EQ(state["processed_bps"], 2000.0);
}

TEST_F(DripctlWatchTest, InterruptEndsWithWholeLines) {
  for (const int signal : {SIGINT, SIGTERM}) {
    FakeServer fresh;
    v1::WatchBucketsResponse state;
    for (int i = 1; i < 3; ++i) {
      state.set_monotonic_ns(i);
      state.clear_buckets();
      state.add_buckets()->set_bucket_id("b");
      fresh->reply(state);
    }
    fresh->hold = true;
    Process process(words("bucket watch --server " + fresh.address()));
    ASSERT_TRUE(process.has_written("b  "));
    process.send_signal(signal);
    const Outcome outcome = process.wait();
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.err, "");
    for (int i = 0; i < 1000 && fresh->cancelled == 0; ++i) usleep(1000);
    EXPECT_EQ(fresh->cancelled, 1) << "the server was not told";
  }
}

}  // namespace
}  // namespace drip
