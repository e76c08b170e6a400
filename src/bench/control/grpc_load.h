// SPDX-License-Identifier: BSD-3-Clause
// Unary calls as fast as a server answers them, so many at one time.
#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "base/quantile.h"
#include "bench/control/child_server.h"
#include "drip/v1/shaper.grpc.pb.h"
#include "fmt/format.h"

namespace drip::bench {

/// How many connections, each with a thread and completion queue of its own, and how many calls
/// wait on each at one time.
struct LoadShape {
  unsigned connections = 1;
  unsigned outstanding = 1;
};

struct LoadResult {
  std::uint64_t calls = 0;
  std::uint64_t failed = 0;
  std::string first_error;
  double seconds = 0;
  double server_cpu_seconds = 0;
  std::vector<std::uint32_t> latencies_ns;  ///< Sorted.

  [[nodiscard]] double per_second() const { return static_cast<double>(calls) / seconds; }
  [[nodiscard]] double server_cpu_us() const {
    return calls == 0 ? 0 : server_cpu_seconds * 1e6 / static_cast<double>(calls);
  }
  [[nodiscard]] double latency_us(double fraction) const {
    return quantile(latencies_ns, fraction) * 1e-3;
  }
  LoadResult& operator+=(const LoadResult& other) {
    calls += other.calls;
    failed += other.failed;
    if (first_error.empty()) first_error = other.first_error;
    latencies_ns.insert(latencies_ns.end(), other.latencies_ns.begin(), other.latencies_ns.end());
    return *this;
  }
};

/// A connection that no other of this process shares.
[[nodiscard]] inline std::shared_ptr<grpc::Channel> connect(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

/// Buckets customer-0 and on, all alike.
[[nodiscard]] inline absl::Status configure_customers(const ChildServer& dripd, unsigned count,
                                                      std::uint32_t capacity, double leak_rate) {
  v1::ShaperService::Stub shaper(connect(dripd.address()));
  v1::ConfigureBucketsRequest request;
  for (unsigned i = 0; i < count; ++i) {
    v1::BucketConfig& bucket = *request.add_buckets();
    bucket.set_bucket_id(fmt::format("customer-{}", i));
    bucket.set_capacity(capacity);
    bucket.set_leak_rate(leak_rate);
  }
  grpc::ClientContext context;
  v1::ConfigureBucketsResponse response;
  const grpc::Status status = shaper.ConfigureBuckets(&context, request, &response);
  return status.ok() ? absl::OkStatus() : absl::UnavailableError(status.error_message());
}

/// Calls of one method of one stub; `Fill` is called as fill(connection, number, request) before
/// each of them.
template <class Stub, class Request, class Response>
struct UnaryMethod {
  using Reader = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>>;
  Reader (Stub::*start)(grpc::ClientContext*, const Request&, grpc::CompletionQueue*);
};

namespace internal {

template <class Stub, class Request, class Response, class Fill>
LoadResult load_one_connection(const std::string& address,
                               UnaryMethod<Stub, Request, Response> method, unsigned connection,
                               unsigned outstanding, std::chrono::steady_clock::time_point end,
                               const Fill& fill) {
  using Clock = std::chrono::steady_clock;
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    typename UnaryMethod<Stub, Request, Response>::Reader reader;
    Request request;
    Response response;
    grpc::Status status;
    Clock::time_point began;
  };
  LoadResult result;
  Stub stub(connect(address));
  grpc::CompletionQueue queue;
  std::vector<Call> calls(outstanding);
  std::uint64_t number = 0;
  const auto start = [&](Call& call) {
    fill(connection, number++, call.request);
    call.context = std::make_unique<grpc::ClientContext>();
    call.began = Clock::now();
    call.reader = (stub.*method.start)(call.context.get(), call.request, &queue);
    call.reader->Finish(&call.response, &call.status, &call);
  };
  for (Call& call : calls) start(call);
  void* tag = nullptr;
  bool ok = false;
  for (unsigned waiting = outstanding; waiting > 0 && queue.Next(&tag, &ok);) {
    Call& call = *static_cast<Call*>(tag);
    const auto now = Clock::now();
    if (!call.status.ok()) {
      ++result.failed;
      if (result.first_error.empty()) result.first_error = call.status.error_message();
    }
    ++result.calls;
    result.latencies_ns.push_back(static_cast<std::uint32_t>((now - call.began).count()));
    if (now < end) {
      start(call);
    } else {
      --waiting;
    }
  }
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  return result;
}

}  // namespace internal

/// Loads `server` for `seconds`.
template <class Stub, class Request, class Response, class Fill>
LoadResult load(const ChildServer& server, UnaryMethod<Stub, Request, Response> method,
                LoadShape shape, double seconds, const Fill& fill) {
  using Clock = std::chrono::steady_clock;
  std::vector<LoadResult> results(shape.connections);
  std::vector<std::thread> threads;
  const double cpu_before = server.use().cpu_seconds;
  const auto began = Clock::now();
  const auto end =
      began + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  for (unsigned i = 0; i < shape.connections; ++i) {
    threads.emplace_back([&, i] {
      results[i] =
          internal::load_one_connection(server.address(), method, i, shape.outstanding, end, fill);
    });
  }
  for (std::thread& thread : threads) thread.join();
  LoadResult sum;
  for (const LoadResult& result : results) sum += result;
  sum.seconds = std::chrono::duration<double>(Clock::now() - began).count();
  sum.server_cpu_seconds = server.use().cpu_seconds - cpu_before;
  std::ranges::sort(sum.latencies_ns);
  return sum;
}

}  // namespace drip::bench
