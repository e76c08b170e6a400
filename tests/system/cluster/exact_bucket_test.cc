// SPDX-License-Identifier: BSD-3-Clause
// One queue, three real dripds, no faults: whatever node is asked, it is the same queue.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "exact_group.h"
#include "nodes/cluster_fixture.h"
#include "nodes/departure_sink.h"

namespace drip {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class ExactBucket : public ClusterFixture {
 protected:
  static void set(const v1::ConfigureBucketRequest& request, std::size_t through = 0) {
    set_exact_bucket(*nodes_, node(through), request);
  }
  static v1::Bucket bucket(const std::string& id, std::size_t by = 0) {
    return node(by).client().bucket(id);
  }
  static v1::DeleteBucketResponse remove(const std::string& id, v1::DeleteMode mode,
                                         std::size_t through) {
    v1::DeleteBucketRequest request;
    request.set_bucket_id(id);
    request.set_mode(mode);
    return node(through).client().call(&Limiter::DeleteBucket, request);
  }
};

TEST_F(ExactBucket, OneCapacityOneLineOneSetOfCounters) {
  set(exact_bucket("one", 10, 0.01));
  for (std::uint64_t i = 0; i < 10; ++i) {
    const auto reply = node(i % 3).client().allow("one");
    EXPECT_TRUE(reply.allowed());
    EXPECT_EQ(reply.queue_position(), i + 1);
    EXPECT_FALSE(reply.request_id().empty());
  }
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(node(i).client().allow("one").reason(), v1::REJECT_REASON_FULL);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const v1::Bucket seen = bucket("one", i);
    EXPECT_EQ(seen.queue_size(), 10U);
    EXPECT_EQ(seen.total_requests(), 13U);
    EXPECT_EQ(seen.allowed_requests(), 10U);
    EXPECT_EQ(seen.rejected_requests(), 3U);
    EXPECT_EQ(seen.policy_state(), v1::POLICY_STATE_SHARED);
  }
}

TEST_F(ExactBucket, ARetryOnAnotherNodeIsChargedOnce) {
  set(exact_bucket("retry", 10, 0.01));
  allow_named(node(0), "retry", "first");
  const auto original = allow_named(node(0), "retry", "mine");
  for (std::size_t i = 0; i < 3; ++i) {
    const auto again = allow_named(node(i), "retry", "mine");
    EXPECT_TRUE(again.allowed());
    EXPECT_TRUE(again.duplicate());
    EXPECT_EQ(again.queue_position(), 2U);
    EXPECT_LE(again.estimated_wait_ns(), original.estimated_wait_ns());
  }
  EXPECT_EQ(bucket("retry").queue_size(), 2U);
  EXPECT_EQ(bucket("retry").total_requests(), 2U);
}

TEST_F(ExactBucket, TurnsComeAtTheRateOnWhateverNode) {
  constexpr double kRate = 100;
  set(exact_bucket("turns", 1000, kRate));
  const auto begin = DepartureSink::Clock::now();
  DepartureSink sink("turns");
  for (const auto& each : *nodes_) sink.feed(*each, 20);
  wait_until("two hundred have left", [&] { return sink.departures().size() >= 200; });
  sink.stop();
  const auto departures = sink.departures();
  const double worst = worst_excess(departures, kRate, begin);
  std::cout << "worst excess over the rate: " << worst << " units\n";
  // One unit, and what a stall of the machine holds up.
  EXPECT_LE(worst, 1 + kRate * 0.3);
  EXPECT_TRUE(sink.failures().empty()) << sink.failures().front().status.error_message();
  std::map<std::string, int> by_node;
  for (const auto& departure : departures) ++by_node[departure.node];
  EXPECT_EQ(by_node.size(), 3U);
  // The line is first come, first served: no node waits longer than another.
  for (const auto& [id, count] : by_node) EXPECT_GE(count, 40) << id;
}

TEST_F(ExactBucket, TheLineIsListedInItsOrderByAnyNode) {
  set(exact_bucket("list", 100, 0.01));
  for (int i = 0; i < 25; ++i) {
    allow_named(node(static_cast<std::size_t>(i) % 3), "list", "r" + std::to_string(i));
  }
  for (std::size_t by = 0; by < 3; ++by) {
    const auto all = queued(node(by), "list", 7);
    ASSERT_EQ(all.size(), 25U);
    for (std::size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].request_id(), "r" + std::to_string(i));
      EXPECT_EQ(all[i].queue_position(), i + 1);
    }
    EXPECT_GT(all[20].estimated_process_time(), all[10].estimated_process_time());
  }
}

TEST_F(ExactBucket, AChangeThroughAnyNodeKeepsTheBacklog) {
  set(exact_bucket("change", 100, 0.1));
  std::vector<std::unique_ptr<Awaited>> calls;
  for (std::size_t i = 0; i < 9; ++i) {
    calls.push_back(std::make_unique<Awaited>(node(i % 3), "change", "r" + std::to_string(i)));
  }
  wait_until("nine wait", [] { return bucket("change").queue_size() == 9; });
  // Below the backlog: newcomers are turned away, who waits stays.
  set(exact_bucket("change", 5, 0.1), 1);
  EXPECT_EQ(bucket("change", 2).queue_size(), 9U);
  EXPECT_FALSE(node(0).client().allow("change").allowed());
  for (const auto& call : calls) EXPECT_TRUE(call->waits());
  // The first of them would have left after 10 s, the last one after 90.
  set(exact_bucket("change", 5, 50), 2);
  wait_until("all have left at the new rate", [] {
    const v1::Bucket now = bucket("change", 1);
    return now.processed_requests() == 9 && now.queue_size() == 0;
  });
  for (const auto& call : calls) {
    EXPECT_TRUE(call->status().ok());
    EXPECT_TRUE(call->response().allowed());
    EXPECT_FALSE(call->response().dropped());
  }
}

TEST_F(ExactBucket, ADeletedOneDrainsAndItsNameIsFree) {
  set(exact_bucket("drains", 100, 1));
  Awaited first(node(0), "drains", "a");
  Awaited second(node(1), "drains", "b");
  wait_until("two wait", [] { return bucket("drains").queue_size() == 2; });
  const auto reply = remove("drains", v1::DELETE_MODE_DRAIN, 2);
  EXPECT_TRUE(reply.deleted());
  EXPECT_LE(reply.draining(), 2U);
  EXPECT_EQ(reply.dropped(), 0U);
  EXPECT_TRUE(first.status().ok());
  EXPECT_TRUE(second.status().ok());
  EXPECT_FALSE(second.response().dropped());
  set(exact_bucket("drains", 100, 4), 1);
  EXPECT_EQ(bucket("drains", 2).total_requests(), 0U);
}

TEST_F(ExactBucket, ADeletedOneDropsWhoWaitsOnOtherNodes) {
  set(exact_bucket("drops", 100, 0.01));
  Awaited waits(node(0), "drops", "a");
  wait_until("it waits", [] { return bucket("drops").queue_size() == 1; });
  EXPECT_EQ(remove("drops", v1::DELETE_MODE_DROP, 1).dropped(), 1U);
  EXPECT_TRUE(waits.status().ok());
  EXPECT_TRUE(waits.response().dropped());
}

TEST_F(ExactBucket, ACancelGivesThePlaceUpOnlyIfAsked) {
  set(exact_bucket("cancel", 100, 0.01));
  Awaited keeps(node(0), "cancel", "keeps");
  wait_until("the first waits", [] { return bucket("cancel").queue_size() == 1; });
  Awaited gives_up(node(1), "cancel", "gives-up", true);
  wait_until("the second waits", [] { return bucket("cancel").queue_size() == 2; });
  EXPECT_EQ(allow_named(node(2), "cancel", "behind").queue_position(), 3U);
  keeps.cancel();
  gives_up.cancel();
  EXPECT_EQ(keeps.status().error_code(), grpc::CANCELLED);
  EXPECT_EQ(gives_up.status().error_code(), grpc::CANCELLED);
  wait_until("one of them is gone", [] { return bucket("cancel").queue_size() == 2; });
  const auto behind = allow_named(node(0), "cancel", "behind");
  EXPECT_TRUE(behind.duplicate());
  EXPECT_EQ(behind.queue_position(), 2U);
  EXPECT_TRUE(allow_named(node(2), "cancel", "keeps").duplicate());
}

TEST_F(ExactBucket, ANodeThatDiesLeavesItsPlacesInLine) {
  set(exact_bucket("dies", 100, 0.1));
  allow_named(node(0), "dies", "ahead");
  auto lost = std::make_unique<Awaited>(node(1), "dies", "lost");
  wait_until("it waits", [] { return queued(node(0), "dies").size() == 2; });
  for (int i = 0; i < 4; ++i) allow_named(node(0), "dies", "behind-" + std::to_string(i));
  nodes_->at(1).reset();  // SIGKILL.
  EXPECT_FALSE(lost->status().ok());
  // Who asks again, elsewhere, has its place.
  const auto again = allow_named(node(2), "dies", "lost");
  EXPECT_TRUE(again.duplicate());
  EXPECT_EQ(again.queue_position(), 2U);
  Awaited turn(node(2), "dies", "lost");
  v1::ConfigureBucketResponse faster;
  EXPECT_TRUE(node(0)
                  .client()
                  .status_of(&Limiter::ConfigureBucket, exact_bucket("dies", 100, 50), faster)
                  .ok());
  EXPECT_TRUE(turn.status().ok());
  EXPECT_TRUE(turn.response().allowed());
  nodes_->at(1) = std::make_unique<ClusterNode>(redis_->url(), "n2");
  wait_until("it is back and knows the bucket", [] {
    v1::GetBucketStatusRequest ask;
    ask.set_bucket_id("dies");
    v1::GetBucketStatusResponse reply;
    return node(1).client().status_of(&Limiter::GetBucketStatus, ask, reply).ok() &&
           reply.bucket().scope() == v1::SCOPE_CLUSTER;
  });
  wait_until("all have left", [] { return bucket("dies", 1).queue_size() == 0; });
}

TEST_F(ExactBucket, ManyInAMessageAreAnsweredInOrder) {
  set(exact_bucket("many", 10, 0.01));
  ASSERT_TRUE(node(1).configure("local", 100, 0.01).ok());
  allow_named(node(2), "many", "there-already");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  v1::RateLimiterService::Stub stub(node(1).client().channel());
  const auto stream = stub.AllowRequests(&context);
  v1::AllowRequestsRequest request;
  const auto entry = [&](const std::string& id, const std::string& name, std::uint32_t count = 0,
                         bool all = false) {
    v1::AllowRequestsEntry& made = *request.add_entries();
    made.set_bucket_id(id);
    made.set_request_id(name);
    made.set_count(count);
    made.set_all_or_none(all);
  };
  entry("many", "", 3);
  entry("local", "", 5);
  entry("many", "there-already");
  entry("", "new");
  entry("", "", 6, true);
  entry("nobody", "");
  entry("many", "", 7);
  entry("many", "x", 2);
  v1::AllowRequestsResponse response;
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(stream->Write(request));
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.results_size(), 8);
    if (round == 1) break;
    EXPECT_EQ(response.results(0).admitted(), 3U);
    EXPECT_EQ(response.results(0).queue_position(), 2U);
    EXPECT_EQ(response.results(1).admitted(), 5U);
    EXPECT_EQ(response.results(1).queue_position(), 1U);
    EXPECT_TRUE(response.results(2).duplicate());
    EXPECT_EQ(response.results(2).queue_position(), 1U);
    EXPECT_EQ(response.results(3).queue_position(), 5U);
    EXPECT_EQ(response.results(4).admitted(), 0U);
    EXPECT_EQ(response.results(4).reason(), v1::REJECT_REASON_FULL);
    EXPECT_EQ(response.results(5).code(), grpc::NOT_FOUND);
    EXPECT_EQ(response.results(6).admitted(), 5U);
    EXPECT_EQ(response.results(6).reason(), v1::REJECT_REASON_FULL);
    EXPECT_EQ(response.results(7).code(), grpc::INVALID_ARGUMENT);
  }
  EXPECT_TRUE(response.results(3).duplicate());
  EXPECT_EQ(response.results(0).admitted(), 0U);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(bucket("many").queue_size(), 10U);
  EXPECT_EQ(queued(node(0), "many").size(), 2U);
}

}  // namespace
}  // namespace drip
