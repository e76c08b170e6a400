// SPDX-License-Identifier: BSD-3-Clause
// The commands `bucket` and `request`: the request for each flag, the output for each field.
#include <gmock/gmock.h>

#include <cstdint>
#include <limits>

#include "dripctl_fixture.h"

namespace drip {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;
using v1::ConfigureBucketRequest;

class DripctlBucketTest : public DripctlTest {};

TEST_F(DripctlBucketTest, SetSendsOnlyWhatWasGiven) {
  EXPECT_EQ(dripctl("bucket set b --rate 50mbit").exit_code, 0);
  ConfigureBucketRequest expected;
  expected.set_bucket_id("b");
  expected.set_leak_rate_bps(50e6);
  EXPECT_EQ(asked<ConfigureBucketRequest>().ShortDebugString(), expected.ShortDebugString());
}

TEST_F(DripctlBucketTest, SetSendsEverySetting) {
  EXPECT_EQ(dripctl("bucket set b --rate 100mbit --rate 10kpps --capacity 1000 "
                    "--capacity-bytes 150kb --overhead -4 --min-frame 64 --departure start "
                    "--max-catchup 20ms")
                .exit_code,
            0);
  ConfigureBucketRequest expected;
  expected.set_bucket_id("b");
  expected.set_leak_rate(10e3);
  expected.set_leak_rate_bps(100e6);
  expected.set_capacity(1000);
  expected.set_capacity_bytes(150 * 1024);
  expected.set_overhead_bytes(-4);
  expected.set_min_frame_bytes(64);
  expected.set_departure(v1::DEPARTURE_AT_START);
  expected.set_max_catchup_ns(20'000'000);
  EXPECT_EQ(asked<ConfigureBucketRequest>().ShortDebugString(), expected.ShortDebugString());
}

// 0 is sent, which removes a rate: it is not the same as nothing.
TEST_F(DripctlBucketTest, SetSendsZeros) {
  EXPECT_EQ(dripctl("bucket set b --rate 0bit --capacity-bytes 0 --max-catchup 0").exit_code, 0);
  const auto request = asked<ConfigureBucketRequest>();
  EXPECT_TRUE(request.has_leak_rate_bps());
  EXPECT_TRUE(request.has_capacity_bytes());
  EXPECT_TRUE(request.has_max_catchup_ns());
  EXPECT_FALSE(request.has_leak_rate());
}

TEST_F(DripctlBucketTest, SetPrintsTheNewSettings) {
  v1::ConfigureBucketResponse reply;
  reply.set_created(true);
  reply.mutable_bucket()->set_bucket_id("b");
  reply.mutable_bucket()->mutable_config()->set_leak_rate_bps(2.5e9);
  reply.mutable_bucket()->mutable_config()->set_leak_rate(10e3);
  reply.mutable_bucket()->mutable_config()->set_capacity(7);
  server_->reply(reply);
  EXPECT_EQ(dripctl("bucket set b --capacity 7").out,
            "bucket b created: 2.5gbit and 10k/s, capacity 7\n");
  EXPECT_EQ(json("bucket set b --capacity 7")["created"], true);
}

TEST_F(DripctlBucketTest, JsonHasNumbersAndOnlySetOptionals) {
  v1::GetBucketStatusResponse reply;
  reply.mutable_bucket()->set_total_requests(std::numeric_limits<std::uint64_t>::max());
  reply.mutable_bucket()->set_last_leak_time(1'700'000'000'123);
  reply.mutable_bucket()->mutable_config()->set_leak_rate(0.5);
  reply.mutable_bucket()->mutable_config()->set_departure(v1::DEPARTURE_AT_END);
  reply.mutable_bucket()->mutable_sojourn()->add_counts(3);
  server_->reply(reply);
  const Outcome outcome = dripctl("bucket show b --json");
  EXPECT_THAT(outcome.out, HasSubstr("\"total_requests\": 18446744073709551615,"));
  EXPECT_THAT(outcome.out, HasSubstr("\"last_leak_time\": 1700000000123,"));
  const auto bucket = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(bucket["queue_size"], 0);
  EXPECT_EQ(bucket["config"]["leak_rate"], 0.5);
  EXPECT_EQ(bucket["config"]["departure"], "DEPARTURE_AT_END");
  EXPECT_FALSE(bucket["config"].contains("leak_rate_bps"));
  EXPECT_EQ(bucket["sojourn"]["counts"], nlohmann::json::array({3}));
  EXPECT_FALSE(bucket.contains("lateness"));
}

TEST_F(DripctlBucketTest, ShowReadsWell) {
  v1::GetBucketStatusResponse reply;
  v1::Bucket* bucket = reply.mutable_bucket();
  bucket->mutable_config()->set_leak_rate_bps(100e6);
  bucket->set_true_leak_rate_bps(99'999'999.5);
  bucket->mutable_config()->set_max_catchup_ns(20'000'000);
  bucket->mutable_sojourn()->add_counts(1);
  bucket->mutable_sojourn()->set_p99_ns(1'234'567);
  bucket->set_processed_requests(3);
  bucket->set_processed_bytes(123'456'789);
  server_->reply(reply);
  const std::string text = dripctl("bucket show b").out;
  EXPECT_THAT(text, ContainsRegex("\nrate +100mbit\n"));
  EXPECT_THAT(text, ContainsRegex("\ntrue rate +99.9999995mbit\n"));
  EXPECT_THAT(text, ContainsRegex("\nmax catchup +20ms\n"));
  EXPECT_THAT(text, ContainsRegex("\nprocessed +3 units, 117.7mib\n"));
  EXPECT_THAT(text, ContainsRegex("\nsojourn +p50 .*, p99 1.235ms, "));
  EXPECT_THAT(text, ContainsRegex("\nlateness +-\n"));
  EXPECT_THAT(text, ContainsRegex("\nlast leak +never\n"));
}

TEST_F(DripctlBucketTest, ShowAsksAgainForARateOfNow) {
  const auto calls = [&] { return server_->asked<v1::GetBucketStatusRequest>().size(); };
  v1::GetBucketStatusResponse reply;
  v1::Bucket* bucket = reply.mutable_bucket();
  bucket->mutable_config()->set_leak_rate_bps(100e6);
  server_->reply(reply);
  bucket->set_processed_requests(3);
  server_->reply(reply);  // Not measured yet.
  bucket->set_processed_bps(12'345'678);
  bucket->set_processed_per_second(1'234.4);
  bucket->set_measured_over_ns(200'000'000);
  server_->reply(reply);
  EXPECT_THAT(dripctl("bucket show b").out, ContainsRegex("\nrate now +-\n"));
  EXPECT_EQ(calls(), 1U) << "nothing has departed";
  EXPECT_THAT(dripctl("bucket show b").out,
              ContainsRegex("\nrate now +12.35mbit, 1234 units/s, over 200ms\n"));
  EXPECT_EQ(calls(), 3U);
  bucket->set_measured_over_ns(3'600'000'000'000);
  server_->reply(reply);
  EXPECT_EQ(json("bucket show b")["processed_bps"], 12'345'678);
  EXPECT_EQ(calls(), 4U) << "it is of now";
  dripctl("bucket show b");
  EXPECT_EQ(calls(), 6U) << "an hour is not now";
}

TEST_F(DripctlBucketTest, ListPutsAllPagesTogether) {
  v1::ListBucketsResponse page;
  page.add_buckets()->set_bucket_id("a");
  page.set_next_page_token("second");
  server_->reply(page);
  page.mutable_buckets(0)->set_bucket_id("b-longer");
  page.clear_next_page_token();
  page.set_total_buckets(5);
  server_->reply(page);
  const auto list = json("bucket list --prefix x --backlogged --flows");
  EXPECT_EQ(list["buckets"].size(), 2U);
  EXPECT_EQ(list["total_buckets"], 5);
  EXPECT_FALSE(list.contains("next_page_token"));
  const auto requests = server_->asked<v1::ListBucketsRequest>();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].page_token(), "");
  EXPECT_EQ(requests[1].page_token(), "second");
  EXPECT_EQ(requests[1].filter().id_prefix(), "x");
  EXPECT_TRUE(requests[1].filter().backlogged());
  EXPECT_TRUE(requests[1].filter().include_flows());
}

TEST_F(DripctlBucketTest, ListAlignsColumns) {
  v1::ListBucketsResponse page;
  page.add_buckets()->set_bucket_id("a");
  page.add_buckets()->set_bucket_id("much-longer");
  page.mutable_buckets(1)->set_capacity(1'000'000);
  server_->reply(page);
  const auto table = lines(dripctl("bucket list").out);
  ASSERT_EQ(table.size(), 3U);
  const auto end_of_capacity = table[0].find("CAPACITY") + 8;
  EXPECT_EQ(table[1].substr(end_of_capacity - 2, 2), " 0");
  EXPECT_EQ(table[2].substr(end_of_capacity - 7, 7), "1000000");
  EXPECT_EQ(dripctl("bucket list --names").out, "a\nmuch-longer\n");
}

TEST_F(DripctlBucketTest, DeleteDrainsUnlessDropIsAskedFor) {
  dripctl("bucket delete b");
  EXPECT_EQ(asked<v1::DeleteBucketRequest>().mode(), v1::DELETE_MODE_UNSPECIFIED);
  v1::DeleteBucketResponse reply;
  reply.set_dropped(4);
  server_->reply(reply);
  EXPECT_EQ(dripctl("bucket delete b --drop").out,
            "bucket b deleted: 4 units dropped, 0 left to drain\n");
  EXPECT_EQ(server_->asked<v1::DeleteBucketRequest>().back().mode(), v1::DELETE_MODE_DROP);
}

// --- request -----------------------------------------------------------------------------------

TEST_F(DripctlBucketTest, AllowPrintsPositionAndWait) {
  v1::AllowRequestResponse reply;
  reply.set_allowed(true);
  reply.set_queue_position(3);
  reply.set_estimated_wait_ns(200'000'000);
  reply.set_request_id("order-17");
  server_->reply(reply);
  const Outcome outcome = dripctl("request allow b --id order-17 --bytes 1500");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "request order-17 allowed: position 3, waits 200ms\n");
  const auto request = asked<v1::AllowRequestRequest>();
  EXPECT_EQ(request.request_id(), "order-17");
  EXPECT_EQ(request.bytes(), 1500U);
}

TEST_F(DripctlBucketTest, RejectionIsExitCode1AndNoError) {
  v1::AllowRequestResponse reply;
  reply.set_reason(v1::REJECT_REASON_FULL);
  server_->reply(reply);
  Outcome outcome = dripctl("request allow b");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "request - rejected: the bucket is full\n");
  EXPECT_EQ(outcome.err, "");
  EXPECT_FALSE(asked<v1::AllowRequestRequest>().has_bytes());
  outcome = dripctl("request allow b --json");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(nlohmann::json::parse(outcome.out)["reason"], "REJECT_REASON_FULL");
}

TEST_F(DripctlBucketTest, AWaitThatNobodyKnowsIsNotATime) {
  v1::AllowRequestResponse reply;
  reply.set_reason(v1::REJECT_REASON_WAIT_TOO_LONG);
  reply.set_estimated_wait_ns(std::int64_t{1} << 62);
  reply.set_wait_is_estimate(true);
  server_->reply(reply);
  EXPECT_THAT(dripctl("request allow b --max-wait 1s").out, HasSubstr("nobody knows how long"));
}

TEST_F(DripctlBucketTest, AsksForShortWaitsForALookAndForAMemory) {
  v1::AllowRequestResponse reply;
  reply.set_reason(v1::REJECT_REASON_WAIT_TOO_LONG);
  reply.set_estimated_wait_ns(50'000'000'000);
  server_->reply(reply);
  reply.Clear();
  reply.set_allowed(true);
  reply.set_request_id("r");
  reply.set_duplicate(true);
  server_->reply(reply);
  reply.set_duplicate(false);
  reply.set_queue_position(4);
  server_->reply(reply);
  Outcome outcome = dripctl("request allow b --max-wait 2s --peek --remember 1min");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "request - rejected: it would wait too long, 50s\n");
  const auto request = asked<v1::AllowRequestRequest>();
  EXPECT_EQ(request.max_wait_ns(), 2'000'000'000U);
  EXPECT_TRUE(request.peek());
  EXPECT_EQ(request.remember_ns(), 60'000'000'000U);
  EXPECT_EQ(dripctl("request allow b --id r").out,
            "request r allowed: position 0, waits 0ns (has left already)\n");
  EXPECT_FALSE(server_->asked<v1::AllowRequestRequest>().back().has_max_wait_ns());
  EXPECT_EQ(dripctl("request allow b --id r --peek").out,
            "request r would be allowed: position 4, waits 0ns\n");
  v1::AwaitTurnResponse turn;
  turn.set_reason(v1::REJECT_REASON_WAIT_TOO_LONG);
  turn.set_estimated_wait_ns(1'500'000);
  server_->reply(turn);
  outcome = dripctl("request await b --timeout 1s --max-wait 0s --remember 10s");
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "request - rejected: it would wait too long, 1.5ms\n");
  EXPECT_TRUE(server_->asked<v1::AwaitTurnRequest>().back().has_max_wait_ns());
  EXPECT_EQ(server_->asked<v1::AwaitTurnRequest>().back().remember_ns(), 10'000'000'000U);
}

TEST_F(DripctlBucketTest, AwaitEndsInOneOfThreeWays) {
  v1::AwaitTurnResponse reply;
  reply.set_request_id("r");
  server_->reply(reply);
  reply.set_allowed(true);
  reply.set_dropped(true);
  server_->reply(reply);
  reply.set_dropped(false);
  reply.set_sojourn_ns(1'500'000);
  server_->reply(reply);
  EXPECT_EQ(dripctl("request await b").exit_code, 1);
  EXPECT_EQ(dripctl("request await b").exit_code, 1);
  const Outcome outcome = dripctl("request await b --id r --release-on-cancel");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "request r left after 1.5ms, 0ns late\n");
  EXPECT_TRUE(server_->asked<v1::AwaitTurnRequest>().back().release_on_cancel());
}

TEST_F(DripctlTest, SeveralTurnsAreAwaitedOnOneCall) {
  const auto reply = [&](std::uint64_t tag, const std::string& id, bool allowed) {
    v1::AwaitTurnsResponse response;
    v1::AwaitTurnsResult& result = *response.add_results();
    result.set_tag(tag);
    result.mutable_turn()->set_request_id(id);
    result.mutable_turn()->set_allowed(allowed);
    server_->reply(response);
  };
  reply(1, "b", true);
  reply(0, "a", true);
  Outcome outcome = dripctl(
      "request await jobs --id a --id b --bytes 100 --max-wait 2s --remember 1min "
      "--release-on-cancel");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("request b left after "));
  EXPECT_THAT(outcome.out, HasSubstr("\nrequest a left after "));
  EXPECT_EQ(server_->asked<v1::AwaitTurnRequest>().size(), 0U);
  const v1::AwaitTurnsRequest asked = server_->asked<v1::AwaitTurnsRequest>().front();
  ASSERT_EQ(asked.entries_size(), 2);
  for (int i = 0; i < 2; ++i) {
    const v1::AwaitTurnsEntry& entry = asked.entries(i);
    EXPECT_EQ(entry.bucket_id(), "jobs");
    EXPECT_EQ(entry.request_id(), i == 0 ? "a" : "b");
    EXPECT_EQ(entry.tag(), static_cast<std::uint64_t>(i));
    EXPECT_EQ(entry.bytes(), 100U);
    EXPECT_EQ(entry.max_wait_ns(), 2'000'000'000U);
    EXPECT_EQ(entry.remember_ns(), 60'000'000'000U);
    EXPECT_TRUE(entry.release_on_cancel());
  }

  reply(0, "a", false);  // After the last reply, which was sent already.
  outcome = dripctl("request await jobs --id a --id b");
  EXPECT_EQ(outcome.exit_code, 1) << outcome.out;
  EXPECT_FALSE(server_->asked<v1::AwaitTurnsRequest>().back().entries(0).has_max_wait_ns());

  v1::AwaitTurnsResponse failed;
  failed.add_results()->set_tag(1);
  failed.mutable_results(0)->set_code(5);
  failed.mutable_results(0)->set_error("bucket_id: there is no bucket");
  server_->reply(failed);
  outcome = dripctl("request await jobs --id a --id b");
  EXPECT_EQ(outcome.exit_code, 4);
  EXPECT_EQ(outcome.err, "dripctl: NOT_FOUND: request b: bucket_id: there is no bucket\n");

  server_->fail({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many"});
  outcome = dripctl("request await jobs --id a --id b");
  EXPECT_EQ(outcome.exit_code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("RESOURCE_EXHAUSTED: too many"));

  std::string many = "request await jobs";
  for (int i = 0; i < 1025; ++i) many += " --id " + std::to_string(i);
  outcome = dripctl(many);
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--id: 1025 ids are not allowed; allowed: up to 1024"));
}

TEST_F(DripctlBucketTest, ListsQueuedRequestsOfAllPages) {
  v1::GetQueuedRequestsResponse page;
  page.add_requests()->set_request_id("first");
  page.mutable_requests(0)->set_queue_position(1);
  page.set_next_page_token("more");
  server_->reply(page);
  page.mutable_requests(0)->set_request_id("second");
  page.clear_next_page_token();
  server_->reply(page);
  const auto table = lines(dripctl("request list b").out);
  ASSERT_EQ(table.size(), 3U);
  EXPECT_THAT(table[1], ContainsRegex("1  first +never"));
  EXPECT_THAT(table[2], HasSubstr("second"));
}

}  // namespace
}  // namespace drip
