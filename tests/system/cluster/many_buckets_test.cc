// SPDX-License-Identifier: BSD-3-Clause
// Very many split buckets on three nodes: 10,000, or as many as DRIP_MANY_BUCKETS says. The figures
// of docs/decisions/0018-many-split-buckets.md are what this prints.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "nodes/node_group.h"
#include "support/process_use.h"
#include "support/redis_server.h"
#include "support/stall_meter.h"

namespace drip {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kRate = 10;          // Units a second of each bucket.
constexpr std::uint32_t kBurst = 40;  // Units that make a bucket's demand many times its rate.
constexpr std::chrono::seconds kDrained{7};  // After which these have left, and as many again.
constexpr std::size_t kSampled = 100;

std::size_t bucket_count() {
  const char* const text = std::getenv("DRIP_MANY_BUCKETS");
  return text == nullptr ? 10'000 : std::strtoul(text, nullptr, 10);
}

class ManyBucketsTest : public testing::Test {
 protected:
  ManyBucketsTest() {
    for (const char* const id : {"n1", "n2", "n3"}) {
      nodes_.push_back(std::make_unique<ClusterNode>(
          redis_.url(), id,
          std::vector<std::string>{"--max-buckets", std::to_string(count_ + 100)}));
    }
    wait_until("all know one leader", [&] { return !common_leader(nodes_).empty(); });
    std::vector<StallMeter::Thread> threads = {{redis_.pid(), "redis-server"}};
    for (const auto& node : nodes_) threads.push_back({node->process().pid(), "drip-shares"});
    meter_.emplace(threads);
    EXPECT_GE(meter_->watched(), threads.size());
  }

  static std::string id_of(std::size_t i) { return "cust-" + std::to_string(100'000 + i); }

  void configure() {
    for (std::size_t begin = 0; begin < count_; begin += 1000) {
      v1::ConfigureBucketsRequest request;
      for (std::size_t i = begin; i < std::min(begin + 1000, count_); ++i) {
        v1::BucketConfig& bucket = *request.add_buckets();
        bucket.set_bucket_id(id_of(i));
        bucket.set_capacity(100);
        bucket.set_leak_rate(kRate);
        bucket.set_scope(v1::SCOPE_CLUSTER);
        bucket.set_sharing(v1::SHARING_SPLIT);
      }
      v1::ConfigureBucketsResponse reply;
      wait_until("1000 more buckets", [&] {
        return nodes_.front()->client().status_of(&Shaper::ConfigureBuckets, request, reply).ok();
      });
    }
  }

  // Units into `buckets` buckets from the first on.
  static void fill(ClusterNode& node, std::size_t buckets, std::uint32_t units) {
    grpc::ClientContext context;
    const auto stub = Limiter(node.client().channel());
    const auto stream = Limiter(node.client().channel()).AllowRequests(&context);
    for (std::size_t begin = 0; begin < buckets; begin += 1000) {
      v1::AllowRequestsRequest request;
      for (std::size_t i = begin; i < std::min(begin + 1000, buckets); ++i) {
        v1::AllowRequestsEntry& entry = *request.add_entries();
        entry.set_bucket_id(id_of(i));
        entry.set_count(units);
      }
      v1::AllowRequestsResponse reply;
      ASSERT_TRUE(stream->Write(request));
      ASSERT_TRUE(stream->Read(&reply));
    }
    stream->WritesDone();
    EXPECT_TRUE(stream->Finish().ok());
  }

  // Whether `kSampled` of the first `buckets` are shared and have more than `share` of the rate. It
  // asks for the bucket first that had not when it was last asked: questions take CPU of the node.
  bool have_more_than(double share, ClusterNode& node, std::size_t buckets) {
    const std::size_t step = std::max<std::size_t>(1, buckets / kSampled);
    const std::size_t samples = (buckets + step - 1) / step;
    for (std::size_t n = 0; n < samples; ++n) {
      const v1::Bucket bucket = node.client().bucket(id_of(asked_first_ % samples * step));
      if (bucket.policy_state() != v1::POLICY_STATE_SHARED) return false;
      if (bucket.share_rate() <= share * kRate) return false;
      ++asked_first_;
    }
    return true;
  }

  // How long it takes until `node` has nearly all of the rate of `buckets` that it alone wants.
  void expect_moves(ClusterNode& node, std::size_t buckets, std::chrono::milliseconds within) {
    const auto waited_before = meter_->waited();
    const std::vector<double> used_before = cpu_seconds();
    const auto begin = Clock::now();
    fill(node, buckets, kBurst);
    const auto filled = Clock::now();
    auto refilled = filled;
    // The others keep their safe shares, a tenth of the rate.
    EXPECT_TRUE(wait_until([&] {
      if (have_more_than(0.9, node, buckets)) return true;
      // Before the first buckets are empty, whose demand would be gone.
      if (Clock::now() - refilled > std::chrono::seconds(2)) {
        fill(node, buckets, kBurst / 2);
        refilled = Clock::now();
      }
      return false;
    }));
    const auto ms = [](Clock::duration span) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(span);
    };
    const auto took = ms(Clock::now() - begin);
    std::cout << node.id() << ": the rate of " << buckets << " buckets has moved after "
              << took.count() << " ms, " << ms(filled - begin).count()
              << " of them to put the demand there; CPU seconds of the nodes and Redis";
    const std::vector<double> used = cpu_seconds();
    for (std::size_t i = 0; i < used.size(); ++i) std::cout << " " << used[i] - used_before[i];
    std::cout << "\n";
    // Clients and gRPC's threads waited for CPUs as the threads did that the meter looks at.
    const auto waited = ms(meter_->waited() - waited_before);
    EXPECT_LE(took, within + 2 * waited) << waited.count() << " ms waited for a CPU";
  }

  struct Seen {
    std::size_t buckets = 0;
    std::size_t not_shared = 0;
    std::uint64_t most_changes = 0;
  };
  // All of a node's buckets, page by page.
  static Seen look_at_all(ClusterNode& node) {
    v1::ListBucketsRequest request;
    request.set_page_size(1000);
    Seen seen;
    do {
      const auto reply = node.client().call(&Shaper::ListBuckets, request);
      for (const v1::Bucket& bucket : reply.buckets()) {
        ++seen.buckets;
        if (bucket.policy_state() != v1::POLICY_STATE_SHARED) ++seen.not_shared;
        seen.most_changes = std::max<std::uint64_t>(seen.most_changes, bucket.policy_changes());
      }
      request.set_page_token(reply.next_page_token());
    } while (!request.page_token().empty());
    return seen;
  }

  // No bucket has left the cluster's shares, but where the machine kept Redis or a node from
  // running, and then to and fro once for each time.
  void expect_all_shared(ClusterNode& node) const {
    Seen seen = look_at_all(node);
    if (seen.not_shared > 0 && meter_->stalls() > 0) {
      EXPECT_TRUE(wait_until([&] { return (seen = look_at_all(node)).not_shared == 0; }));
    }
    EXPECT_EQ(seen.buckets, count_) << node.id();
    EXPECT_EQ(seen.not_shared, 0U) << node.id();
    EXPECT_LE(seen.most_changes, 2 * meter_->stalls()) << node.id();
    std::cout << node.id() << ": at most " << seen.most_changes << " changes of policy, "
              << meter_->stalls() << " stalls of the machine so far\n";
  }

  // Of each node, then of Redis.
  std::vector<double> cpu_seconds() const {
    std::vector<double> seconds;
    for (const auto& node : nodes_) seconds.push_back(cpu_seconds_of(node->process().pid()));
    seconds.push_back(cpu_seconds_of(redis_.pid()));
    return seconds;
  }

  void print_use(const std::string& what, std::chrono::seconds span) const {
    const std::vector<double> before = cpu_seconds();
    std::this_thread::sleep_for(span);
    const std::vector<double> after = cpu_seconds();
    std::cout << what << ": CPU";
    for (std::size_t i = 0; i < after.size(); ++i) {
      std::cout << " " << (i < nodes_.size() ? nodes_[i]->id() : "Redis") << " "
                << 100 * (after[i] - before[i]) / static_cast<double>(span.count()) << " %";
    }
    std::cout << "; resident MB";
    for (const auto& node : nodes_) std::cout << " " << resident_mb_of(node->process().pid());
    std::cout << " Redis " << resident_mb_of(redis_.pid()) << "\n";
  }

  const std::size_t count_ = bucket_count();
  std::size_t asked_first_ = 0;  // Which sample, modulo their number.
  RedisServer redis_;
  ClusterNodes nodes_;
  std::optional<StallMeter> meter_;
};

TEST_F(ManyBucketsTest, StaySharedAndFollowDemandWhileRedisIsHealthy) {
  print_use("without buckets", std::chrono::seconds(2));
  const auto begin = Clock::now();
  configure();
  for (const auto& node : nodes_) {
    wait_until(node->id() + " has a share of all", [&] {
      return node->rate(id_of(count_ - 1)) == kRate && have_more_than(0.3, *node, count_);
    });
  }
  std::cout << count_ << " buckets are shared "
            << std::chrono::duration<double>(Clock::now() - begin).count()
            << " s after the first was set\n";
  print_use("idle", std::chrono::seconds(5));
  for (const auto& node : nodes_) expect_all_shared(*node);

  expect_moves(*nodes_[1], 1, std::chrono::seconds(1));
  // The demand of a part of them goes from node to node, while the others stay as they are.
  std::size_t to = 0;
  for (const std::size_t part : {std::size_t{10}, std::size_t{100}, count_ / 100}) {
    if (part == 100 && to == 2) continue;
    std::this_thread::sleep_for(kDrained);
    expect_moves(*nodes_[to++ % nodes_.size()], part,
                 std::chrono::milliseconds(part > 100 ? 3'000 : 1'000));
  }
  std::this_thread::sleep_for(kDrained);
  expect_moves(*nodes_[2], count_, std::chrono::milliseconds(count_ > 20'000 ? 3'000 : 1'500));
  print_use("busy on one node", std::chrono::seconds(2));
  std::this_thread::sleep_for(kDrained);
  expect_moves(*nodes_[0], count_, std::chrono::milliseconds(count_ > 20'000 ? 3'000 : 1'500));
  for (const auto& node : nodes_) expect_all_shared(*node);
  for (const auto& node : nodes_) {
    const std::string log = node->process().log();
    const auto lines = std::ranges::count(log, '\n');
    std::cout << node->id() << ": " << lines << " log lines\n";
    EXPECT_LT(lines, 60);
    if (HasFailure()) std::cout << log.substr(0, 8000) << "\n";
  }
}

}  // namespace
}  // namespace drip
