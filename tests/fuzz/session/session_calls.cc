// SPDX-License-Identifier: BSD-3-Clause
// Calls that answer with one message and change nothing. Changes are in session_changes.cc, streams
// in session_streams.cc.
#include "fuzz/session/session_calls.h"

#include "fuzz/support/fuzz_target.h"

namespace drip::fuzz {
namespace {

// What the node itself has done wrong.
bool is_its_own_error(grpc::StatusCode code) {
  return code == grpc::UNKNOWN || code == grpc::INTERNAL || code == grpc::DATA_LOSS ||
         code == grpc::UNAVAILABLE || code == grpc::DEADLINE_EXCEEDED;
}

}  // namespace

void check_status(const grpc::Status& status) {
  if (status.ok()) return;
  require(!is_its_own_error(status.error_code()),
          "no call ends as an error of the node's own: " + status.error_message());
  require(!status.error_message().empty(), "an error says what it is about");
  for (const char c : status.error_message()) {
    require(static_cast<unsigned char>(c) >= 0x20, "an error is one line of text");
  }
  if (status.error_code() != grpc::INVALID_ARGUMENT) return;
  require(status.error_message().find(": ") != std::string::npos,
          "what is refused is named by its field: " + status.error_message());
}

template <class Request>
void SessionCalls::resolve_token(Request& request) {
  if (request.page_token() == "next") request.set_page_token(tokens_[Request().GetTypeName()]);
}

void SessionCalls::allow_request(const v1::AllowRequestRequest& request) {
  v1::AllowRequestResponse response;
  if (!ask(node_.limiter(), &v1::RateLimiterService::Stub::AllowRequest, request, response).ok()) {
    return;
  }
  require(response.allowed() == (response.reason() == v1::REJECT_REASON_UNSPECIFIED),
          "what is not allowed has a reason");
  require(response.estimated_wait_ns() >= 0 && response.estimated_wait_ms() >= 0,
          "a wait is a span");
  const auto bucket = present_.buckets.find(request.bucket_id());
  require(bucket != present_.buckets.end(), "only a bucket that is there answers");
  require(request.request_id().empty() || response.request_id() == request.request_id(),
          "a request keeps its id");
}

void SessionCalls::make_on_engine(const Call& call) {
  control::FakeEngine& engine = node_.engine();
  if (call.has_advance()) {
    engine.advance(
        {static_cast<std::int64_t>(call.advance().span_ns() % (std::uint64_t{1} << 40))});
  } else if (call.has_engine_fault()) {
    const auto fault = [](bool on) {
      return on ? absl::ResourceExhaustedError("capacity: there is no memory") : absl::OkStatus();
    };
    engine.fail_apply = fault(call.engine_fault().apply());
    engine.fail_swap = fault(call.engine_fault().swap());
    engine.fail_create_flow_rule = fault(call.engine_fault().create_flow_rule());
    engine.fail_change_flow_rule = fault(call.engine_fault().change_flow_rule());
  } else if (call.has_packets()) {
    const auto buckets = engine.packet_buckets();
    if (buckets.empty()) return;
    const auto bucket = buckets[call.packets().bucket() % buckets.size()];
    for (std::uint32_t i = 0; i < call.packets().count() % 64; ++i) {
      engine.offer_packet(bucket, 60 + call.packets().bytes() % 9000);
    }
  }
}

void SessionCalls::make_read(Call& call) {
  using Limiter = v1::RateLimiterService::Stub;
  using Shaper = v1::ShaperService::Stub;
  const auto page = [&](auto& stub, auto method, auto& request, auto response) {
    resolve_token(request);
    if (!ask(stub, method, request, response).ok()) return;
    tokens_[request.GetTypeName()] = response.next_page_token();
  };
  const auto read = [&](auto& stub, auto method, const auto& request, auto response) {
    ask(stub, method, request, response);
  };
  Limiter& limiter = node_.limiter();
  Shaper& shaper = node_.shaper();
  switch (call.call_case()) {
    case Call::kGetBucketStatus:
      return read(limiter, &Limiter::GetBucketStatus, call.get_bucket_status(),
                  v1::GetBucketStatusResponse());
    case Call::kGetQueuedRequests:
      return page(limiter, &Limiter::GetQueuedRequests, *call.mutable_get_queued_requests(),
                  v1::GetQueuedRequestsResponse());
    case Call::kGetLeader:
      return read(limiter, &Limiter::GetLeader, call.get_leader(), v1::GetLeaderResponse());
    case Call::kGetClusterStatus:
      return read(limiter, &Limiter::GetClusterStatus, call.get_cluster_status(),
                  v1::GetClusterStatusResponse());
    case Call::kGetClusterShares:
      return page(limiter, &Limiter::GetClusterShares, *call.mutable_get_cluster_shares(),
                  v1::GetClusterSharesResponse());
    case Call::kForgetNode:
      return read(limiter, &Limiter::ForgetNode, call.forget_node(), v1::ForgetNodeResponse());
    case Call::kListBuckets:
      return page(shaper, &Shaper::ListBuckets, *call.mutable_list_buckets(),
                  v1::ListBucketsResponse());
    case Call::kListAddressLists:
      return page(shaper, &Shaper::ListAddressLists, *call.mutable_list_address_lists(),
                  v1::ListAddressListsResponse());
    case Call::kListRules:
      return page(shaper, &Shaper::ListRules, *call.mutable_list_rules(), v1::ListRulesResponse());
    case Call::kExplain:
      return read(shaper, &Shaper::Explain, call.explain(), v1::ExplainResponse());
    case Call::kGetBucketTraffic:
      return read(shaper, &Shaper::GetBucketTraffic, call.get_bucket_traffic(),
                  v1::GetBucketTrafficResponse());
    case Call::kListPorts:
      return read(shaper, &Shaper::ListPorts, call.list_ports(), v1::ListPortsResponse());
    case Call::kListLcores:
      return read(shaper, &Shaper::ListLcores, call.list_lcores(), v1::ListLcoresResponse());
    case Call::kGetNode:
      return read(shaper, &Shaper::GetNode, call.get_node(), v1::GetNodeResponse());
    case Call::kListChanges:
      return page(shaper, &Shaper::ListChanges, *call.mutable_list_changes(),
                  v1::ListChangesResponse());
    default:
      return make_on_engine(call);
  }
}

void SessionCalls::make(Call& call) {
  using Shaper = v1::ShaperService::Stub;
  const auto change_rules = [&](auto method, const auto& request, auto response) {
    change(node_.shaper(), method, request, response);
  };
  switch (call.call_case()) {
    case Call::kConfigureBucket:
      return configure_bucket(*call.mutable_configure_bucket());
    case Call::kConfigureBuckets:
      return configure_buckets(*call.mutable_configure_buckets());
    case Call::kDeleteBucket:
      return delete_bucket(*call.mutable_delete_bucket());
    case Call::kSetRules:
      return set_rules(*call.mutable_set_rules());
    case Call::kSetRule:
      return set_rule(call.set_rule());
    case Call::kDeleteRule:
      return change_rules(&Shaper::DeleteRule, call.delete_rule(), v1::DeleteRuleResponse());
    case Call::kSetAddressList:
      return set_list(call.set_address_list());
    case Call::kDeleteAddressList:
      return change_rules(&Shaper::DeleteAddressList, call.delete_address_list(),
                          v1::DeleteAddressListResponse());
    case Call::kAllowRequest:
      return allow_request(call.allow_request());
    case Call::kAllowRequests:
      return allow_requests(call.allow_requests());
    case Call::kAwaitTurn:
      return await_turn(call.await_turn());
    case Call::kAwaitTurns:
      return await_turns(call.await_turns());
    case Call::kWatchBuckets:
      return watch_buckets(call.watch_buckets());
    case Call::kWatchTop:
      return watch_top(call.watch_top());
    case Call::kCapture:
      return capture(call.capture());
    default:
      return make_read(call);
  }
}

}  // namespace drip::fuzz
