// SPDX-License-Identifier: BSD-3-Clause
// The calls of RateLimiterService: convert, do, convert back.
#include "control/rpc/rate_limiter_service.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/text.h"
#include "control/config/rule_warnings.h"
#include "control/convert/convert_bucket.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_page.h"
#include "control/convert/convert_stats.h"
#include "control/model/epoch_clock.h"
#include "control/model/request_queues.h"
#include "control/rpc/calls/audited_change.h"
#include "control/rpc/calls/await_turn.h"
#include "control/rpc/calls/read_request.h"
#include "control/rpc/calls/rpc_status.h"
#include "control/rpc/calls/tenant.h"
#include "control/rpc/calls/unary_call.h"
#include "control/rpc/streams/admit_stream.h"
#include "control/rpc/streams/turn_stream.h"

namespace drip::control {
namespace {

// More than fit into a message: each takes some 50 bytes a node.
constexpr std::size_t kMostSharesAPage = 50'000;

void write_ticket(const Ticket& ticket, v1::AllowRequestResponse& response) {
  const Admission& admission = ticket.admission;
  response.set_request_id(ticket.request_id);
  response.set_reason(reject_reason(admission.reason));
  response.set_estimated_wait_ms(rounded_ms(admission.wait));
  response.set_estimated_wait_ns(admission.wait.ns);
  response.set_wait_is_estimate(admission.wait_is_estimate);
  if (admission.reason != RejectReason::kAdmitted) return;
  response.set_allowed(true);
  response.set_queue_position(admission.position);
  response.set_duplicate(ticket.duplicate);
}

void write_state(const ServicesContext& context, BucketState state, v1::Bucket& message) {
  add_share(context.cluster, state);
  write_bucket(state, EpochClock(context.engine), message);
}

void write_departure_rate(const DepartureRate& rate, v1::Bucket& message) {
  if (rate.span.ns == 0) return;
  message.set_processed_per_second(rate.units_per_second);
  message.set_processed_bps(rate.bits_per_second);
  message.set_measured_over_ns(static_cast<std::uint64_t>(rate.span.ns));
}

void write_page(const QueuePage& page, const EpochClock& clock,
                v1::GetQueuedRequestsResponse& response) {
  if (page.next) response.set_next_page_token(sequence_token(*page.next));
  for (const QueuedRequest& queued : page.requests) {
    v1::QueuedRequest& message = *response.add_requests();
    message.set_request_id(queued.request_id);
    message.set_enqueue_time(clock.epoch_ms(queued.arrival));
    message.set_estimated_process_time(clock.epoch_ms(clock.now() + queued.position.wait));
    message.set_queue_position(queued.position.position);
    message.set_estimated_wait_ns(queued.position.wait.ns);
    message.set_wait_is_estimate(queued.position.wait_is_estimate);
  }
}

// Longer than any queue takes to answer or to give up.
constexpr std::chrono::nanoseconds kGrace = std::chrono::milliseconds(500);

// Calls ask(done) and waits for its result: for the thread of changes.
template <class Result, class Ask>
absl::StatusOr<Result> wait_for(Duration decide_within, Ask ask) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<Result>>>();
  std::future<absl::StatusOr<Result>> future = promise->get_future();
  ask([promise](absl::StatusOr<Result> result) { promise->set_value(std::move(result)); });
  if (future.wait_for(std::chrono::nanoseconds(decide_within.ns) + kGrace) !=
      std::future_status::ready) {
    return absl::UnavailableError("the bucket's queue is in Redis, which does not answer");
  }
  return future.get();
}

absl::Status configure_bucket(const ServicesContext& context, const access::Caller& caller,
                              const v1::ConfigureBucketRequest& request,
                              v1::ConfigureBucketResponse& response,
                              ConfigurationChanges::Deadline deadline) {
  const absl::StatusOr<BucketPatch> patch = read_patch(config_of(request), "");
  if (!patch.ok()) return patch.status();
  const absl::Status own = check_own_changes(caller, context.buckets, std::span(&*patch, 1));
  if (!own.ok()) return own;
  const BucketEntryRef before = context.buckets.find(request.bucket_id());
  const RequestQueues* const queues_before = before == nullptr ? nullptr : &before->queues();
  RequestQueues::Remover remove_before;
  if (before != nullptr) remove_before = before->queues().remover(*before);
  const absl::StatusOr<BucketRegistry::Applied> applied =
      context.changes.configure(std::span(&*patch, 1), deadline);
  if (!applied.ok()) return applied.status();
  response.set_created(applied->created > 0);
  const absl::StatusOr<BucketEntryRef> bucket =
      context.buckets.get("bucket_id", request.bucket_id());
  if (!bucket.ok()) return bucket.status();
  for (const std::string& warning :
       warnings_of_bucket((*bucket)->settings(), longest_frame_of(context.engine))) {
    response.add_warnings(warning);
  }
  RequestQueues& queues = (*bucket)->queues();
  // What waits in a queue of the other kind drains.
  if (queues_before != nullptr && queues_before != &queues) {
    remove_before(false, {}, [](const absl::StatusOr<Removal>&) {});
  }
  // A queue in Redis is made or changed with its first call at the new revision: this one.
  absl::StatusOr<BucketState> state = wait_for<BucketState>(
      (*bucket)->sharing().decide_within,
      [&](auto done) { (*bucket)->counted_by().read(**bucket, std::move(done)); });
  if (!state.ok()) {
    // The configuration stands, whether or not its counters can be read now.
    std::optional<BucketState> known = (*bucket)->state();
    if (!known) return not_found("bucket_id", "bucket", request.bucket_id());
    state = *std::move(known);
  }
  write_state(context, *std::move(state), *response.mutable_bucket());
  return absl::OkStatus();
}

absl::Status delete_bucket(const ServicesContext& context, const access::Caller& caller,
                           const v1::DeleteBucketRequest& request,
                           v1::DeleteBucketResponse& response,
                           ConfigurationChanges::Deadline deadline) {
  if (!v1::DeleteMode_IsValid(request.mode())) {
    return not_allowed("mode", joined(static_cast<int>(request.mode())),
                       "DELETE_MODE_DRAIN (1), DELETE_MODE_DROP (2) or unset");
  }
  const std::optional<std::uint64_t> expected =
      request.has_expected_revision() ? std::optional(request.expected_revision()) : std::nullopt;
  const absl::Status own =
      check_own_deletion(caller, context.buckets, request.bucket_id(), request.recursive());
  if (!own.ok()) return own;
  const bool drop = request.mode() == v1::DELETE_MODE_DROP;
  const BucketEntryRef bucket = context.buckets.find(request.bucket_id());
  RequestQueues::Remover remove;
  if (bucket != nullptr) remove = bucket->queues().remover(*bucket);
  absl::StatusOr<Removal> removal = context.changes.delete_bucket(
      request.bucket_id(), drop, expected, request.recursive(), deadline);
  if (removal.ok() && remove != nullptr) {
    removal = wait_for<Removal>(bucket->sharing().decide_within,
                                [&](auto done) { remove(drop, *removal, std::move(done)); });
  }
  if (!removal.ok()) return removal.status();
  response.set_deleted(true);
  response.set_dropped(removal->dropped);
  response.set_draining(removal->draining);
  return absl::OkStatus();
}

absl::StatusOr<SharesPage> read_shares_page(const ServicesContext& context,
                                            const v1::GetClusterSharesRequest& request) {
  const absl::StatusOr<std::size_t> limit = read_large_page_size(request.page_size());
  if (!limit.ok()) return limit.status();
  absl::StatusOr<std::string> after = read_id_token(request.page_token());
  if (!after.ok()) return after.status();
  if (!request.bucket_id().empty()) {
    const absl::StatusOr<BucketEntryRef> bucket =
        context.buckets.get("bucket_id", request.bucket_id());
    if (!bucket.ok()) return bucket.status();
  }
  // One more than the page has tells whether there is another.
  return SharesPage{request.bucket_id(), *std::move(after), std::min(*limit, kMostSharesAPage) + 1};
}

// `limit` as read_shares_page() has it.
void write_shares_page(const std::vector<BucketShares>& shares, std::size_t limit,
                       v1::GetClusterSharesResponse& response) {
  std::size_t bytes = 0;
  std::size_t next = 0;
  for (; next < shares.size() && next + 1 < limit && bytes < kPageBytes; ++next) {
    v1::BucketShares& bucket = *response.add_buckets();
    write_shares(shares[next], bucket);
    bytes += bucket.ByteSizeLong();
  }
  if (next < shares.size()) response.set_next_page_token(id_token(shares[next - 1].bucket_id));
}

}  // namespace

RateLimiterService::RateLimiterService(const ServicesContext& context, StreamSet& streams)
    : GuardedService(context), streams_(streams) {
  serve("AllowRequest", &RateLimiterService::on_allow_request);
  serve("AllowRequests", &RateLimiterService::on_allow_requests);
  serve("AwaitTurn", &RateLimiterService::on_await_turn);
  serve("AwaitTurns", &RateLimiterService::on_await_turns);
  serve("GetBucketStatus", &RateLimiterService::on_get_bucket_status);
  serve("ConfigureBucket", &RateLimiterService::on_configure_bucket);
  serve("DeleteBucket", &RateLimiterService::on_delete_bucket);
  serve("GetQueuedRequests", &RateLimiterService::on_get_queued_requests);
  serve("GetLeader", &RateLimiterService::on_get_leader);
  serve("ForgetNode", &RateLimiterService::on_forget_node);
  serve("GetClusterShares", &RateLimiterService::on_get_cluster_shares);
  serve("GetClusterStatus", &RateLimiterService::on_get_cluster_status);
  check_all_are_served();
}

grpc::ServerUnaryReactor* RateLimiterService::on_allow_request(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::AllowRequestRequest* request, v1::AllowRequestResponse* response) {
  absl::StatusOr<Admissible> admissible =
      read_request(context_, *admitted.caller, *request, request->bucket_id());
  if (!admissible.ok()) return answer(call, admissible.status());
  admissible->request.terms.peek = request->peek();
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  BucketEntry& bucket = *admissible->bucket;
  // What this captures fits into std::function without an allocation.
  bucket.queues().admit(bucket, admissible->request,
                        [reactor, response](const absl::StatusOr<Ticket>& ticket) {
                          if (ticket.ok()) write_ticket(*ticket, *response);
                          reactor->Finish(to_grpc(ticket.status()));
                        });
  return reactor;
}

grpc::ServerBidiReactor<v1::AllowRequestsRequest, v1::AllowRequestsResponse>*
RateLimiterService::on_allow_requests(const Admitted& admitted, grpc::CallbackServerContext* call) {
  return open_admit_stream(context_, streams_, admitted);
}

grpc::ServerBidiReactor<v1::AwaitTurnsRequest, v1::AwaitTurnsResponse>*
RateLimiterService::on_await_turns(const Admitted& admitted, grpc::CallbackServerContext* call) {
  return open_turn_stream(context_, streams_, admitted, call);
}

grpc::ServerUnaryReactor* RateLimiterService::on_await_turn(const Admitted& admitted,
                                                            grpc::CallbackServerContext* call,
                                                            const v1::AwaitTurnRequest* request,
                                                            v1::AwaitTurnResponse* response) {
  const absl::StatusOr<Admissible> admissible =
      read_request(context_, *admitted.caller, *request, request->bucket_id());
  if (!admissible.ok()) return answer(call, admissible.status());
  absl::StatusOr<OpenCalls::Place> place = streams_.calls().enter(admitted.peer, admitted.client);
  if (!place.ok()) return answer(call, place.status());
  ClientShare waiting(admitted.client, ClientUse::kWaitingRequests);
  if (const absl::Status status = waiting.resize(1); !status.ok()) return answer(call, status);
  AdmitRequest admit_request = admissible->request;
  admit_request.terms.limits.departure = time_left(*call);
  return await_turn(*admissible->bucket, admit_request, *std::move(place), std::move(waiting), call,
                    *request, *response);
}

grpc::ServerUnaryReactor* RateLimiterService::on_get_bucket_status(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::GetBucketStatusRequest* request, v1::GetBucketStatusResponse* response) {
  const absl::Status own = check_covers(*admitted.caller, "bucket_id", request->bucket_id());
  if (!own.ok()) return answer(call, own);
  const absl::StatusOr<BucketEntryRef> bucket =
      context_.buckets.get("bucket_id", request->bucket_id());
  if (!bucket.ok()) return answer(call, bucket.status());
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  RequestQueues& counted_by = (*bucket)->counted_by();
  counted_by.read(
      **bucket, [this, bucket = *bucket, reactor, response](absl::StatusOr<BucketState> state) {
        const absl::Status status = state.status();
        if (status.ok()) {
          v1::Bucket& message = *response->mutable_bucket();
          write_departure_rate(
              departure_rates_.measure(bucket, state->stats, context_.engine.now()), message);
          write_state(context_, *std::move(state), message);
        }
        reactor->Finish(to_grpc(status));
      });
  return reactor;
}

grpc::ServerUnaryReactor* RateLimiterService::on_configure_bucket(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::ConfigureBucketRequest* request, v1::ConfigureBucketResponse* response) {
  return change_in_order(
      context_, admitted, call, "bucket " + request->bucket_id(),
      [=, this] { return snapshot_of_buckets(context_, {request->bucket_id()}); },
      [=, this, caller = admitted.caller] {
        return configure_bucket(context_, *caller, *request, *response, call->deadline());
      });
}

grpc::ServerUnaryReactor* RateLimiterService::on_delete_bucket(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::DeleteBucketRequest* request, v1::DeleteBucketResponse* response) {
  return change_in_order(
      context_, admitted, call, "bucket " + request->bucket_id(),
      [=, this] { return snapshot_of_subtree(context_, request->bucket_id()); },
      [=, this, caller = admitted.caller] {
        return delete_bucket(context_, *caller, *request, *response, call->deadline());
      });
}

grpc::ServerUnaryReactor* RateLimiterService::on_get_queued_requests(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::GetQueuedRequestsRequest* request, v1::GetQueuedRequestsResponse* response) {
  const absl::Status own = check_covers(*admitted.caller, "bucket_id", request->bucket_id());
  if (!own.ok()) return answer(call, own);
  const absl::StatusOr<std::size_t> limit = read_page_size(request->page_size());
  if (!limit.ok()) return answer(call, limit.status());
  const absl::StatusOr<std::uint64_t> first = read_sequence_token(request->page_token());
  if (!first.ok()) return answer(call, first.status());
  const absl::StatusOr<BucketEntryRef> bucket =
      context_.buckets.get("bucket_id", request->bucket_id());
  if (!bucket.ok()) return answer(call, bucket.status());
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  (*bucket)->queues().list(**bucket, *first, *limit,
                           [this, reactor, response](const absl::StatusOr<QueuePage>& page) {
                             if (page.ok()) {
                               write_page(*page, EpochClock(context_.engine), *response);
                             }
                             reactor->Finish(to_grpc(page.status()));
                           });
  return reactor;
}

grpc::ServerUnaryReactor* RateLimiterService::on_get_leader(const Admitted& admitted,
                                                            grpc::CallbackServerContext* call,
                                                            const v1::GetLeaderRequest* request,
                                                            v1::GetLeaderResponse* response) {
  const absl::StatusOr<ClusterLeader> leader = context_.cluster.leader();
  if (leader.ok()) write_leader(*leader, *response);
  return answer(call, leader.status());
}

grpc::ServerUnaryReactor* RateLimiterService::on_get_cluster_shares(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::GetClusterSharesRequest* request, v1::GetClusterSharesResponse* response) {
  const absl::StatusOr<SharesPage> page = read_shares_page(context_, *request);
  if (!page.ok()) return answer(call, page.status());
  SharedBuckets* const shared = context_.cluster.shared_buckets();
  if (shared == nullptr) return answer(call, absl::OkStatus());
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  shared->shares(*page, [reactor, response, limit = page->limit](
                            const absl::StatusOr<std::vector<BucketShares>>& shares) {
    if (shares.ok()) write_shares_page(*shares, limit, *response);
    reactor->Finish(to_grpc(shares.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* RateLimiterService::on_forget_node(const Admitted& admitted,
                                                             grpc::CallbackServerContext* call,
                                                             const v1::ForgetNodeRequest* request,
                                                             v1::ForgetNodeResponse* response) {
  SharedBuckets* const shared = context_.cluster.shared_buckets();
  if (shared == nullptr) {
    return answer(call, absl::FailedPreconditionError("this node is in no cluster"));
  }
  if (absl::Status name = check_name("node_id", request->node_id()); !name.ok()) {
    return answer(call, name);
  }
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  shared->forget(request->node_id(), [this, reactor, response, about = record_of(admitted),
                                      target = "node " + request->node_id()](
                                         const absl::StatusOr<ForgottenNode>& node) {
    write_audit(context_.audit, about, target, {}, {}, node.status());
    if (node.ok()) {
      response->set_listed(node->listed);
      response->set_had_shares(node->had_shares);
    }
    reactor->Finish(to_grpc(node.status()));
  });
  return reactor;
}

grpc::ServerUnaryReactor* RateLimiterService::on_get_cluster_status(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::GetClusterStatusRequest* request, v1::GetClusterStatusResponse* response) {
  const absl::StatusOr<ClusterStatus> status = context_.cluster.status();
  if (status.ok()) write_cluster(*status, *response);
  return answer(call, status.status());
}

}  // namespace drip::control
