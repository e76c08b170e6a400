// SPDX-License-Identifier: BSD-3-Clause
// Calls that last, and calls with streams.
#include <algorithm>
#include <chrono>
#include <future>

#include "fuzz/session/session_calls.h"
#include "fuzz/support/fuzz_target.h"

namespace drip::fuzz {
namespace {

constexpr std::chrono::milliseconds kShort{15};
constexpr std::chrono::seconds kLong{20};
constexpr int kMostWaits = 2;

void set_deadline(grpc::ClientContext& context, std::chrono::milliseconds span) {
  context.set_deadline(std::chrono::system_clock::now() + span);
}

// Of a call that was ended from here.
void check_end(const grpc::Status& status) {
  if (status.error_code() == grpc::CANCELLED || status.error_code() == grpc::DEADLINE_EXCEEDED)
    return;
  check_status(status);
}

void check_turn(const v1::AwaitTurnResponse& turn) {
  require(turn.allowed() == (turn.reason() == v1::REJECT_REASON_UNSPECIFIED),
          "what is not allowed has a reason");
  require(turn.sojourn_ns() >= 0 && turn.estimated_wait_ns() >= 0, "a wait is a span");
}

}  // namespace

void SessionCalls::allow_requests(const v1::AllowRequestsRequest& request) {
  grpc::ClientContext context;
  set_deadline(context, kLong);
  const auto stream = node_.limiter().AllowRequests(&context);
  stream->Write(request);
  stream->WritesDone();
  int results = 0;
  for (v1::AllowRequestsResponse response; stream->Read(&response);) {
    for (const v1::AllowRequestsResult& result : response.results()) {
      require(results < request.entries_size(), "no more answers than entries");
      const v1::AllowRequestsEntry& entry = request.entries(results++);
      require(result.admitted() <= std::max(entry.count(), 1U), "no more are admitted than asked");
      check_status({static_cast<grpc::StatusCode>(result.code()), result.error()});
      require(result.estimated_wait_ns() >= 0, "a wait is a span");
    }
  }
  const grpc::Status status = stream->Finish();
  check_status(status);
  require(!status.ok() || results == request.entries_size(), "each entry has an answer");
}

void SessionCalls::await_turn(const v1::AwaitTurnRequest& request) {
  if (++waits_ > kMostWaits) return;
  grpc::ClientContext context;
  set_deadline(context, kLong);
  v1::AwaitTurnResponse response;
  std::promise<grpc::Status> done;
  node_.limiter().async()->AwaitTurn(&context, &request, &response,
                                     [&done](const grpc::Status& end) { done.set_value(end); });
  std::future<grpc::Status> status = done.get_future();
  if (status.wait_for(kShort) != std::future_status::ready) {
    node_.engine().advance({1'000'000'000});
    if (status.wait_for(kShort) != std::future_status::ready) context.TryCancel();
  }
  const grpc::Status end = status.get();
  check_end(end);
  if (end.ok()) check_turn(response);
}

void SessionCalls::await_turns(const v1::AwaitTurnsRequest& request) {
  if (++waits_ > kMostWaits) return;
  grpc::ClientContext context;
  set_deadline(context, 2 * kShort);
  const auto stream = node_.limiter().AwaitTurns(&context);
  stream->Write(request);
  stream->WritesDone();
  int results = 0;
  for (v1::AwaitTurnsResponse response; stream->Read(&response);) {
    node_.engine().advance({1'000'000'000});
    for (const v1::AwaitTurnsResult& result : response.results()) {
      ++results;
      const grpc::Status status{static_cast<grpc::StatusCode>(result.code()), result.error()};
      check_end(status);
      if (status.ok()) check_turn(result.turn());
    }
  }
  check_end(stream->Finish());
  require(results <= request.entries_size(), "no more turns than entries");
}

void SessionCalls::watch_buckets(const v1::WatchBucketsRequest& request) {
  grpc::ClientContext context;
  set_deadline(context, kLong);
  const auto stream = node_.shaper().WatchBuckets(&context, request);
  v1::WatchBucketsResponse response;
  if (stream->Read(&response)) {
    require(static_cast<std::size_t>(response.buckets_size()) <= present_.buckets.size() + 1000,
            "no more buckets than there are");
    context.TryCancel();
    while (stream->Read(&response)) {
    }
  }
  check_end(stream->Finish());
}

void SessionCalls::watch_top(const v1::WatchTopRequest& request) {
  if (++waits_ > kMostWaits) return;
  grpc::ClientContext context;
  set_deadline(context, 4 * kShort);
  const auto stream = node_.shaper().WatchTop(&context);
  stream->Write(request);
  v1::WatchTopResponse response;
  if (stream->Read(&response)) {
    require(static_cast<std::uint64_t>(response.buckets_size()) <= response.rows(),
            "no more rows than there are");
    context.TryCancel();
    while (stream->Read(&response)) {
    }
  }
  check_end(stream->Finish());
}

void SessionCalls::capture(const v1::CaptureRequest& request) {
  if (++waits_ > kMostWaits) return;
  grpc::ClientContext context;
  set_deadline(context, kShort);
  const auto stream = node_.shaper().Capture(&context, request);
  for (v1::CaptureResponse response; stream->Read(&response);) {
    require(response.captured_size() == 0 || request.max_frames() == 0 ||
                static_cast<std::uint32_t>(response.captured_size()) <= request.max_frames(),
            "no more frames than were asked for");
  }
  check_end(stream->Finish());
}

}  // namespace drip::fuzz
