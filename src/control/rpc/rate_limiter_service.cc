// SPDX-License-Identifier: BSD-3-Clause
// The calls of RateLimiterService: convert, do, convert back.
#include "control/rpc/rate_limiter_service.h"

#include <optional>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_page.h"
#include "control/convert/convert_stats.h"
#include "control/model/epoch_clock.h"
#include "control/rpc/admit_request.h"
#include "control/rpc/await_exact.h"
#include "control/rpc/await_turn.h"
#include "control/rpc/exact_requests.h"
#include "control/rpc/unary_call.h"

namespace drip::control {
namespace {

absl::Status allow_request(const ServicesContext& context, const v1::AllowRequestRequest& request,
                           v1::AllowRequestResponse& response) {
  const std::optional<std::uint32_t> bytes =
      request.has_bytes() ? std::optional(request.bytes()) : std::nullopt;
  const absl::StatusOr<AdmittedRequest> admitted =
      admit_request(context, request.bucket_id(), request.request_id(), bytes);
  if (!admitted.ok()) return admitted.status();
  const Admission& admission = admitted->ticket.admission;
  response.set_request_id(admitted->ticket.request_id);
  response.set_reason(reject_reason(admission.reason));
  if (admission.reason != RejectReason::kAdmitted) return absl::OkStatus();
  response.set_allowed(true);
  response.set_queue_position(admission.position);
  response.set_estimated_wait_ms(rounded_ms(admission.wait));
  response.set_estimated_wait_ns(admission.wait.ns);
  response.set_duplicate(admitted->ticket.duplicate);
  return absl::OkStatus();
}

absl::Status write_state_of(const ServicesContext& context, const std::string& bucket_id,
                            v1::Bucket& bucket) {
  const absl::StatusOr<BucketEntryRef> known = context.buckets.get("bucket_id", bucket_id);
  if (!known.ok()) return known.status();
  std::optional<BucketState> state = (*known)->state();
  if (!state) return not_found("bucket_id", "bucket", bucket_id);
  add_share(context.cluster, *state);
  write_bucket(*state, EpochClock(context.engine), bucket);
  return absl::OkStatus();
}

// The queue is made or changed with its first call at the new revision: this one.
absl::Status write_exact_state_of(const ServicesContext& context, const BucketEntry& bucket,
                                  v1::Bucket& message) {
  const absl::StatusOr<SharedStats> reading = read_exact_now(context, shared_bucket(bucket));
  std::optional<BucketState> state = bucket.state();
  if (!state) return not_found("bucket_id", "bucket", bucket.id());
  // The configuration stands, whether or not its counters can be read now.
  if (reading.ok()) put_reading(context, *reading, *state);
  add_share(context.cluster, *state);
  write_bucket(*state, EpochClock(context.engine), message);
  return absl::OkStatus();
}

absl::Status configure_bucket(const ServicesContext& context,
                              const v1::ConfigureBucketRequest& request,
                              v1::ConfigureBucketResponse& response,
                              ConfigurationChanges::Deadline deadline) {
  const absl::StatusOr<BucketPatch> patch = read_patch(config_of(request), "");
  if (!patch.ok()) return patch.status();
  const BucketEntryRef before = exact_bucket(context, request.bucket_id());
  std::optional<SharedBuckets::Bucket> shared_before;
  if (before != nullptr) shared_before = shared_bucket(*before);
  const absl::StatusOr<BucketRegistry::Applied> applied =
      context.changes.configure(std::span(&*patch, 1), deadline);
  if (!applied.ok()) return applied.status();
  response.set_created(applied->created > 0);
  if (const BucketEntryRef exact = exact_bucket(context, request.bucket_id())) {
    return write_exact_state_of(context, *exact, *response.mutable_bucket());
  }
  // Not exact any more: what waits in Redis drains.
  if (shared_before) {
    context.cluster.shared_buckets()->remove(*shared_before, false,
                                             [](const absl::StatusOr<Removal>&) {});
  }
  return write_state_of(context, request.bucket_id(), *response.mutable_bucket());
}

absl::Status delete_bucket(const ServicesContext& context, const v1::DeleteBucketRequest& request,
                           v1::DeleteBucketResponse& response,
                           ConfigurationChanges::Deadline deadline) {
  if (!v1::DeleteMode_IsValid(request.mode())) {
    return not_allowed("mode", joined(static_cast<int>(request.mode())),
                       "DELETE_MODE_DRAIN (1), DELETE_MODE_DROP (2) or unset");
  }
  const std::optional<std::uint64_t> expected =
      request.has_expected_revision() ? std::optional(request.expected_revision()) : std::nullopt;
  const bool drop = request.mode() == v1::DELETE_MODE_DROP;
  const BucketEntryRef exact = exact_bucket(context, request.bucket_id());
  std::optional<SharedBuckets::Bucket> shared;
  if (exact != nullptr) shared = shared_bucket(*exact);
  absl::StatusOr<Removal> removal =
      context.changes.delete_bucket(request.bucket_id(), drop, expected, deadline);
  if (removal.ok() && shared) removal = remove_exact_now(context, *shared, drop);
  if (!removal.ok()) return removal.status();
  response.set_deleted(true);
  response.set_dropped(removal->dropped);
  response.set_draining(removal->draining);
  return absl::OkStatus();
}

absl::Status get_queued_requests(const ServicesContext& context,
                                 const v1::GetQueuedRequestsRequest& request,
                                 v1::GetQueuedRequestsResponse& response) {
  const absl::StatusOr<std::size_t> limit = read_page_size(request.page_size());
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<std::uint64_t> first = read_sequence_token(request.page_token());
  if (!first.ok()) return first.status();
  const absl::StatusOr<BucketEntryRef> bucket =
      context.buckets.get("bucket_id", request.bucket_id());
  if (!bucket.ok()) return bucket.status();
  std::vector<QueuedRequest> requests;
  const bool exists = (*bucket)->while_it_exists([&](const BucketSettings& settings) {
    requests = (*bucket)->requests()->list(*first, *limit + 1, settings.departure);
  });
  if (!exists) return not_found("bucket_id", "bucket", request.bucket_id());
  if (requests.size() > *limit) {
    response.set_next_page_token(sequence_token(requests.back().sequence));
    requests.pop_back();
  }
  const EpochClock clock(context.engine);
  for (const QueuedRequest& queued : requests) {
    v1::QueuedRequest& message = *response.add_requests();
    message.set_request_id(queued.request_id);
    message.set_enqueue_time(clock.epoch_ms(queued.arrival));
    message.set_estimated_process_time(clock.epoch_ms(clock.now() + queued.place.wait));
    message.set_queue_position(queued.place.position);
    message.set_estimated_wait_ns(queued.place.wait.ns);
  }
  return absl::OkStatus();
}

absl::Status get_cluster_shares(const ServicesContext& context,
                                const v1::GetClusterSharesRequest& request,
                                v1::GetClusterSharesResponse& response) {
  const std::string& id = request.bucket_id();
  if (!id.empty()) {
    const absl::StatusOr<BucketEntryRef> bucket = context.buckets.get("bucket_id", id);
    if (!bucket.ok()) return bucket.status();
  }
  const SharedBuckets* const shared = context.cluster.shared_buckets();
  if (shared == nullptr) return absl::OkStatus();
  for (const BucketShares& bucket : shared->shares()) {
    if (!id.empty() && bucket.bucket_id != id) continue;
    write_shares(bucket, *response.add_buckets());
  }
  return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* RateLimiterService::AllowRequest(grpc::CallbackServerContext* call,
                                                           const v1::AllowRequestRequest* request,
                                                           v1::AllowRequestResponse* response) {
  if (const BucketEntryRef exact = exact_bucket(context_, request->bucket_id())) {
    return allow_exact(context_, *exact, call, *request, *response,
                       [=, this] { return allow_request(context_, *request, *response); });
  }
  return answer(call, allow_request(context_, *request, *response));
}

grpc::ServerBidiReactor<v1::AllowRequestsRequest, v1::AllowRequestsResponse>*
RateLimiterService::AllowRequests(grpc::CallbackServerContext* call) {
  return streams_.open();
}

grpc::ServerUnaryReactor* RateLimiterService::AwaitTurn(grpc::CallbackServerContext* call,
                                                        const v1::AwaitTurnRequest* request,
                                                        v1::AwaitTurnResponse* response) {
  if (const BucketEntryRef exact = exact_bucket(context_, request->bucket_id())) {
    const absl::Status id = check_request_id("request_id", request->request_id());
    if (!id.ok()) return answer(call, id);
    return await_exact(context_, *exact, call, *request, *response);
  }
  return await_turn(context_, call, *request, *response);
}

grpc::ServerUnaryReactor* RateLimiterService::GetBucketStatus(
    grpc::CallbackServerContext* call, const v1::GetBucketStatusRequest* request,
    v1::GetBucketStatusResponse* response) {
  if (const BucketEntryRef exact = exact_bucket(context_, request->bucket_id())) {
    return read_exact(context_, exact, call, *response->mutable_bucket());
  }
  return answer(call, write_state_of(context_, request->bucket_id(), *response->mutable_bucket()));
}

grpc::ServerUnaryReactor* RateLimiterService::ConfigureBucket(
    grpc::CallbackServerContext* call, const v1::ConfigureBucketRequest* request,
    v1::ConfigureBucketResponse* response) {
  return answer_in_order(call, context_.change_thread, [=, this] {
    return configure_bucket(context_, *request, *response, call->deadline());
  });
}

grpc::ServerUnaryReactor* RateLimiterService::DeleteBucket(grpc::CallbackServerContext* call,
                                                           const v1::DeleteBucketRequest* request,
                                                           v1::DeleteBucketResponse* response) {
  return answer_in_order(call, context_.change_thread, [=, this] {
    return delete_bucket(context_, *request, *response, call->deadline());
  });
}

grpc::ServerUnaryReactor* RateLimiterService::GetQueuedRequests(
    grpc::CallbackServerContext* call, const v1::GetQueuedRequestsRequest* request,
    v1::GetQueuedRequestsResponse* response) {
  if (const BucketEntryRef exact = exact_bucket(context_, request->bucket_id())) {
    return list_exact(context_, *exact, call, *request, *response);
  }
  return answer(call, get_queued_requests(context_, *request, *response));
}

grpc::ServerUnaryReactor* RateLimiterService::GetLeader(grpc::CallbackServerContext* call,
                                                        const v1::GetLeaderRequest* request,
                                                        v1::GetLeaderResponse* response) {
  const absl::StatusOr<ClusterLeader> leader = context_.cluster.leader();
  if (leader.ok()) write_leader(*leader, *response);
  return answer(call, leader.status());
}

grpc::ServerUnaryReactor* RateLimiterService::GetClusterShares(
    grpc::CallbackServerContext* call, const v1::GetClusterSharesRequest* request,
    v1::GetClusterSharesResponse* response) {
  return answer(call, get_cluster_shares(context_, *request, *response));
}

grpc::ServerUnaryReactor* RateLimiterService::GetClusterStatus(
    grpc::CallbackServerContext* call, const v1::GetClusterStatusRequest* request,
    v1::GetClusterStatusResponse* response) {
  const absl::StatusOr<ClusterStatus> status = context_.cluster.status();
  if (status.ok()) write_cluster(*status, *response);
  return answer(call, status.status());
}

}  // namespace drip::control
