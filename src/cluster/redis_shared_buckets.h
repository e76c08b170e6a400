// SPDX-License-Identifier: BSD-3-Clause
// The cluster's buckets on Redis: shared queues call by call, leased shares by leases.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cluster/queue/clock_steps.h"
#include "cluster/queue/queue_batcher.h"
#include "cluster/queue/queue_calls.h"
#include "cluster/queue/queue_policies.h"
#include "cluster/shares/share_agent.h"
#include "control/model/shared_buckets.h"

namespace drip::cluster {

/// Shared queues by QueueBatcher, leased shares by ShareAgent.
class RedisSharedBuckets final : public control::SharedBuckets {
 public:
  RedisSharedBuckets(ShareAgentOptions options, Engine& engine, control::BucketRegistry& buckets,
                     std::function<ShareLeader()> leader);
  ~RedisSharedBuckets() override { RedisSharedBuckets::stop(); }

  void start();
  /// Pending calls end with UNAVAILABLE. Idempotent.
  void stop();
  /// What the queues know of Redis's clock, and whether shares cannot be leased. Thread safe.
  void write_status(control::ClusterStatus& status) const;

  void admit(std::vector<Admission> admissions) override;
  void look(const Bucket& bucket, const std::string& request_id,
            const control::SharedRequestKey& key, Duration in,
            control::Done<control::SharedRequestStatus> done) override;
  void release(const Bucket& bucket, const std::string& request_id,
               const control::SharedRequestKey& key,
               control::Done<control::SharedRequestStatus> done) override;
  void read(const Bucket& bucket, control::Done<control::SharedStats> done) override;
  void list(const Bucket& bucket, std::uint64_t first, std::size_t limit,
            control::Done<control::SharedQueuePage> done) override;
  void remove(const Bucket& bucket, bool drop_backlog, control::Done<Removal> done) override;

  [[nodiscard]] bool unreachable(std::string_view bucket_id) const override {
    return policies_.unreachable(bucket_id);
  }

  [[nodiscard]] std::optional<control::ShareState> share_of(
      std::string_view bucket_id) const override;
  void shares(const control::SharesPage& page,
              control::Done<std::vector<control::BucketShares>> done) override {
    agent_.shares(page, std::move(done));
  }
  void forget(std::string node_id, control::Done<control::ForgottenNode> done) override {
    agent_.forget(std::move(node_id), std::move(done));
  }

 private:
  template <class Result, class Convert>
  void ask(const Bucket& bucket, ScriptCall script, Convert convert, control::Done<Result> done,
           Duration in = {});

  control::BucketRegistry& buckets_;
  const QueueCalls calls_;
  QueuePolicies policies_;
  ClockSteps clock_steps_;
  QueueBatcher batcher_;
  ShareAgent agent_;
};

}  // namespace drip::cluster
