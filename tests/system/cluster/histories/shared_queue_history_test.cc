// SPDX-License-Identifier: BSD-3-Clause
// Queues that three nodes share through Redis, while faults happen: all that clients see could have
// happened one after the other. So there is at most one admission a position, none is lost, and
// none that was refused is there.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "exact_group.h"
#include "nodes/holding_proxy.h"
#include "nodes/network_cut.h"
#include "recorded_history.h"
#include "shared_queue_model.h"
#include "support/redis_server.h"

namespace drip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Full now and then, and never for long.
constexpr std::size_t kCapacity = 5;
constexpr int kBuckets = 4;
constexpr int kClientsANode = 2;
constexpr int kNames = 2;  // That all clients use, and nobody releases.
constexpr seconds kSpan{10};

using Model = SharedQueueModel<kCapacity>;
using Call = Model::Call;
using History = RecordedHistory<Model>;

std::string bucket_name(int number) { return "q" + std::to_string(number); }

v1::ConfigureBucketRequest queue_of(int number) {
  // None leaves by itself while the test lasts.
  v1::ConfigureBucketRequest request =
      exact_bucket(bucket_name(number), kCapacity, 1.0 / 3600, v1::FAILURE_POLICY_CLOSED);
  request.set_decide_within_ns(300'000'000);
  return request;
}

/// One client of one node: asks for places, looks, and gives places back.
class QueueClient {
 public:
  QueueClient(ClusterNode& node, History& history, int number)
      : node_(node),
        history_(history),
        random_(static_cast<unsigned>(number)),
        own_("c" + std::to_string(number) + "-") {}

  void run(const std::atomic<bool>& stop) {
    while (!stop) {
      const std::string bucket = bucket_name(draw(kBuckets));
      switch (draw(8)) {
        case 0:
        case 1:
          list(bucket);
          break;
        case 2:
          (void)allow(bucket, "n" + std::to_string(draw(kNames)));
          break;
        default:
          come_and_go(bucket, stop);
      }
      std::this_thread::sleep_for(milliseconds(draw(20)));
    }
  }
  /// Asks until there is an answer: the last word about a queue.
  void list_at_last(const std::string& bucket) {
    wait_until(bucket + " is listed", [&] { return list(bucket).has_value(); });
  }

 private:
  static bool contains(const std::vector<std::string>& ids, const std::string& id) {
    return std::ranges::find(ids, id) != ids.end();
  }
  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

  // Whether it may wait now.
  bool allow(const std::string& bucket, const std::string& id) {
    Operation<Call> op;
    op.call.id = id;
    v1::AllowRequestResponse reply;
    op.begin = History::now();
    const grpc::Status status = try_allow(node_, bucket, id, reply);
    op.end = History::now();
    if (status.ok()) {
      op.call.allowed = reply.allowed();
      op.call.duplicate = reply.duplicate();
      op.call.position = reply.queue_position();
    } else {
      EXPECT_EQ(status.error_code(), grpc::UNAVAILABLE) << status.error_message();
      // Redis may have admitted it, and the answer have come too late; but not after this.
      op.call.answered = false;
      op.may_be_void = true;
    }
    history_.add(bucket, op);
    return !status.ok() || reply.allowed();
  }
  std::optional<std::vector<std::string>> list(const std::string& bucket) {
    Operation<Call> op;
    op.call.kind = Call::Kind::kList;
    v1::GetQueuedRequestsRequest request;
    request.set_bucket_id(bucket);
    request.set_page_size(100);
    v1::GetQueuedRequestsResponse reply;
    op.begin = History::now();
    const grpc::Status status =
        node_.client().status_of(&Limiter::GetQueuedRequests, request, reply);
    op.end = History::now();
    if (!status.ok()) return std::nullopt;
    for (const v1::QueuedRequest& one : reply.requests()) {
      EXPECT_EQ(one.queue_position(), op.call.listed.size() + 1);
      op.call.listed.push_back(one.request_id());
    }
    history_.add(bucket, op);
    return op.call.listed;
  }
  // A request of its own waits for a while, and is given up.
  void come_and_go(const std::string& bucket, const std::atomic<bool>& stop) {
    const std::string id = own_ + std::to_string(next_++);
    if (!allow(bucket, id)) return;
    std::this_thread::sleep_for(milliseconds(draw(200)));
    // Without an answer it was admitted if it is there, and then it is the same as any other.
    std::optional<std::vector<std::string>> waiting;
    while (!waiting && !stop) waiting = list(bucket);
    if (!waiting || !contains(*waiting, id)) return;
    Operation<Call> op;
    op.call.kind = Call::Kind::kRelease;
    op.call.id = id;
    op.begin = History::now();
    bool cancelled = false;
    while (!cancelled && !stop) {
      Awaited awaited(node_, bucket, id, true);
      std::this_thread::sleep_for(milliseconds(50 + draw(100)));
      awaited.cancel();
      cancelled = awaited.status().error_code() == grpc::CANCELLED;
    }
    const auto most = History::now() + seconds(10);
    while (op.end == Operation<Call>::kNever && !stop && History::now() < most) {
      const auto left = list(bucket);
      if (left && !contains(*left, id)) op.end = History::now();
      std::this_thread::sleep_for(milliseconds(10));
    }
    // The test ended meanwhile.
    op.may_be_void = op.end == Operation<Call>::kNever;
    history_.add(bucket, op);
  }

  ClusterNode& node_;
  History& history_;
  std::mt19937 random_;
  std::string own_;
  int next_ = 0;
};

// Clients of all nodes are busy while `faults` happen.
void expect_linearizable_queues(ClusterNodes& nodes, const std::function<void()>& faults) {
  for (int i = 0; i < kBuckets; ++i) set_exact_bucket(nodes, *nodes[0], queue_of(i));
  History history;
  std::atomic<bool> stop{false};
  {
    std::vector<std::jthread> threads;
    int number = 0;
    for (const auto& node : nodes) {
      for (int i = 0; i < kClientsANode; ++i) {
        threads.emplace_back(
            [&history, &stop, &node, number] { QueueClient(*node, history, number).run(stop); });
        ++number;
      }
    }
    const auto end = History::now() + kSpan;
    while (History::now() < end) faults();
    stop = true;
  }
  // What is under way when a caller gives up is over by then.
  std::this_thread::sleep_for(seconds(1));
  for (int i = 0; i < kBuckets; ++i) {
    QueueClient(*nodes[0], history, 100 + i).list_at_last(bucket_name(i));
  }
  history.expect_linearizable([](const std::string&) { return Model::State(); });
}

TEST(SharedQueueHistory, WithoutFaults) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  expect_linearizable_queues(nodes, [] { std::this_thread::sleep_for(milliseconds(100)); });
}

TEST(SharedQueueHistory, WhileRedisStandsStillAndGoesOn) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  std::mt19937 random(7);
  expect_linearizable_queues(nodes, [&] {
    std::this_thread::sleep_for(milliseconds(400 + random() % 800));
    redis.pause();
    std::this_thread::sleep_for(milliseconds(100 + random() % 900));
    redis.resume();
  });
}

// What a node has given up waiting for comes to Redis when others have long seen that it is not
// there.
TEST(SharedQueueHistory, WhileOneNodesCommandsComeLate) {
  RedisServer redis;
  HoldingProxy proxy(redis.port());
  ClusterNodes nodes;
  nodes.push_back(std::make_unique<ClusterNode>(redis.url(), "n1"));
  nodes.push_back(
      std::make_unique<ClusterNode>("redis://127.0.0.1:" + std::to_string(proxy.port()), "n2"));
  std::mt19937 random(6);
  expect_linearizable_queues(nodes, [&] {
    std::this_thread::sleep_for(milliseconds(300 + random() % 300));
    proxy.hold_at("EVALSHA");
    std::this_thread::sleep_for(milliseconds(400 + random() % 800));
    proxy.release_held();
  });
}

TEST(SharedQueueHistory, WhileConnectionsBreak) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  std::mt19937 random(8);
  expect_linearizable_queues(nodes, [&] {
    std::this_thread::sleep_for(milliseconds(100 + random() % 400));
    redis.cli({"CLIENT", "KILL", "TYPE", "normal"});
  });
}

TEST(SharedQueueHistory, WhileANodeIsCutOff) {
  NetworkCut cut;
  if (!cut.made()) GTEST_SKIP() << "network namespaces cannot be made here (root is needed)";
  SeparableCluster cluster(cut);
  std::mt19937 random(9);
  expect_linearizable_queues(cluster.nodes, [&] {
    std::this_thread::sleep_for(milliseconds(500 + random() % 500));
    ASSERT_TRUE(cut.set(false));
    std::this_thread::sleep_for(milliseconds(200 + random() % 1500));
    ASSERT_TRUE(cut.set(true));
  });
}

}  // namespace
}  // namespace drip
