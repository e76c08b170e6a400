// SPDX-License-Identifier: BSD-3-Clause
// Control's calls as script calls, and replies in control's types.
#include "cluster/redis_shared_buckets.h"

#include <utility>

namespace drip::cluster {

RedisSharedBuckets::RedisSharedBuckets(ShareAgentOptions options, Engine& engine,
                                       control::BucketRegistry& buckets,
                                       std::function<ShareLeader()> leader)
    : buckets_(buckets),
      calls_(options.prefix),
      policies_(buckets),
      batcher_(options.redis, QueueClock(options.prefix), calls_, policies_, clock_steps_),
      agent_(options, engine, buckets, std::move(leader)) {}

void RedisSharedBuckets::start() {
  agent_.start();
  batcher_.start();
}

void RedisSharedBuckets::stop() {
  batcher_.stop();
  agent_.stop();
}

void RedisSharedBuckets::write_status(control::ClusterStatus& status) const {
  clock_steps_.write(NodeTime::now(), status);
  std::string obstacle = agent_.obstacle();
  if (!status.connected || obstacle.empty()) return;
  // A part of the node is cut off, and the operator is told so as of a whole one.
  status.connected = false;
  status.cut_off_reason = std::move(obstacle);
}

template <class Result, class Convert>
void RedisSharedBuckets::ask(const Bucket& bucket, ScriptCall script, Convert convert,
                             control::Done<Result> done, Duration in) {
  std::vector<QueueCall> calls(1);
  calls.front().admission.bucket = bucket;
  calls.front().script = std::move(script);
  calls.front().done = [convert, done = std::move(done)](const absl::StatusOr<RedisReply>& reply) {
    if (!reply.ok()) return done(reply.status());
    done(convert(*reply));
  };
  batcher_.submit(std::move(calls), in);
}

void RedisSharedBuckets::admit(std::vector<Admission> admissions) {
  std::vector<QueueCall> calls(admissions.size());
  for (std::size_t i = 0; i < admissions.size(); ++i) {
    calls[i].admission = std::move(admissions[i]);
  }
  batcher_.submit(std::move(calls));
}

void RedisSharedBuckets::look(const Bucket& bucket, const std::string& request_id,
                              const control::SharedRequestKey& key, Duration in,
                              control::Done<control::SharedRequestStatus> done) {
  ask(bucket, calls_.look(bucket, request_id, key), status_of_request, std::move(done), in);
}

void RedisSharedBuckets::release(const Bucket& bucket, const std::string& request_id,
                                 const control::SharedRequestKey& key,
                                 control::Done<control::SharedRequestStatus> done) {
  ask(bucket, calls_.release(bucket, request_id, key), status_of_request, std::move(done));
}

void RedisSharedBuckets::read(const Bucket& bucket, control::Done<control::SharedStats> done) {
  ask(
      bucket, calls_.read(bucket),
      [bucket](const RedisReply& reply) { return stats_of(reply, bucket); }, std::move(done));
}

void RedisSharedBuckets::list(const Bucket& bucket, std::uint64_t first, std::size_t limit,
                              control::Done<control::SharedQueuePage> done) {
  ask(bucket, calls_.list(bucket, first, limit), page_of, std::move(done));
}

void RedisSharedBuckets::remove(const Bucket& bucket, bool drop_backlog,
                                control::Done<Removal> done) {
  ask(bucket, calls_.remove(bucket, drop_backlog), removal_of, std::move(done));
}

std::optional<control::ShareState> RedisSharedBuckets::share_of(std::string_view bucket_id) const {
  const control::BucketEntryRef bucket = buckets_.find(bucket_id);
  if (bucket == nullptr) return std::nullopt;
  if (!bucket->exact()) return agent_.share_of(bucket_id);
  return policies_.state_of(*bucket);
}

}  // namespace drip::cluster
