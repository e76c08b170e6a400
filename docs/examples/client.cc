// SPDX-License-Identifier: BSD-3-Clause
// A client in C++: makes a bucket, sends a burst of requests, waits for a turn, reads the state.
//
// Usage: client-example [ADDRESS], 127.0.0.1:50051 unless given.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <string>

#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"

namespace {

using drip::v1::RateLimiterService;
using drip::v1::ShaperService;

// Every call needs a deadline: without one it waits for as long as the server lets it.
void set_deadline(grpc::ClientContext* context, std::chrono::seconds patience) {
  context->set_deadline(std::chrono::system_clock::now() + patience);
}

bool report(const char* call, const grpc::Status& status) {
  if (status.ok()) return true;
  std::cerr << call << ": code " << status.error_code() << ": " << status.error_message() << "\n";
  return false;
}

bool configure(RateLimiterService::Stub* stub) {
  drip::v1::ConfigureBucketRequest request;
  request.set_bucket_id("example");
  request.set_capacity(100);
  request.set_leak_rate(10);  // A second. What is not set keeps its value or takes its default.
  drip::v1::ConfigureBucketResponse reply;
  grpc::ClientContext context;
  set_deadline(&context, std::chrono::seconds(5));
  if (!report("ConfigureBucket", stub->ConfigureBucket(&context, request, &reply))) return false;
  std::cout << (reply.created() ? "created" : "changed") << ", leaks "
            << reply.bucket().true_leak_rate() << "/s\n";
  return true;
}

bool allow(RateLimiterService::Stub* stub, const std::string& request_id) {
  drip::v1::AllowRequestRequest request;
  request.set_bucket_id("example");
  request.set_request_id(request_id);
  drip::v1::AllowRequestResponse reply;
  grpc::ClientContext context;
  set_deadline(&context, std::chrono::seconds(5));
  if (!report("AllowRequest", stub->AllowRequest(&context, request, &reply))) return false;
  // That a request is rejected is an answer, not an error.
  if (reply.allowed()) {
    std::cout << request_id << ": position " << reply.queue_position() << ", waits "
              << reply.estimated_wait_ms() << " ms\n";
  } else {
    std::cout << request_id << ": " << drip::v1::RejectReason_Name(reply.reason()) << "\n";
  }
  return true;
}

bool await(RateLimiterService::Stub* stub, const std::string& request_id) {
  drip::v1::AwaitTurnRequest request;
  request.set_bucket_id("example");
  request.set_request_id(request_id);  // Is queued already: this waits for that place.
  drip::v1::AwaitTurnResponse reply;
  grpc::ClientContext context;
  set_deadline(&context, std::chrono::seconds(30));
  if (!report("AwaitTurn", stub->AwaitTurn(&context, request, &reply))) return false;
  std::cout << request_id << ": left after " << static_cast<double>(reply.sojourn_ns()) / 1e6
            << " ms\n";
  return true;
}

bool watch_once(ShaperService::Stub* stub) {
  drip::v1::WatchBucketsRequest request;
  request.mutable_filter()->add_bucket_ids("example");
  grpc::ClientContext context;
  const auto stream = stub->WatchBuckets(&context, request);
  drip::v1::WatchBucketsResponse states;
  if (!stream->Read(&states)) return report("WatchBuckets", stream->Finish());
  for (const drip::v1::Bucket& bucket : states.buckets()) {
    std::cout << bucket.bucket_id() << ": " << bucket.queue_size() << " wait, "
              << bucket.processed_requests() << " have left\n";
  }
  // The stream goes on until the caller cancels it.
  context.TryCancel();
  stream->Finish();
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string address = argc > 1 ? argv[1] : "127.0.0.1:50051";
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const auto rate_limiter = RateLimiterService::NewStub(channel);
  const auto shaper = ShaperService::NewStub(channel);

  if (!configure(rate_limiter.get())) return 1;
  for (int i = 1; i <= 3; ++i) {
    if (!allow(rate_limiter.get(), "request-" + std::to_string(i))) return 1;
  }
  if (!await(rate_limiter.get(), "request-3")) return 1;
  return watch_once(shaper.get()) ? 0 : 1;
}
