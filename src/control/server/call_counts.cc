// SPDX-License-Identifier: BSD-3-Clause
#include "control/server/call_counts.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/support/interceptor.h>

#include <algorithm>

#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"

namespace drip::control {
namespace {

using grpc::experimental::InterceptionHookPoints;

constexpr auto kCancelled = static_cast<std::size_t>(grpc::StatusCode::CANCELLED);
constexpr auto kUnknown = static_cast<std::size_t>(grpc::StatusCode::UNKNOWN);

}  // namespace

// Of one call: gRPC makes it when the call begins and destroys it after the call's end.
class CallCounts::OneCall final : public grpc::experimental::Interceptor {
 public:
  explicit OneCall(Method& method) : method_(method), begun_(std::chrono::steady_clock::now()) {
    method_.begun.fetch_add(1, std::memory_order_relaxed);
  }
  // A call whose client was gone before it had a status.
  ~OneCall() override {
    if (!ended_) end(kCancelled);
  }
  OneCall(const OneCall&) = delete;
  OneCall& operator=(const OneCall&) = delete;

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      const auto code = static_cast<std::size_t>(methods->GetSendStatus().error_code());
      end(code < kCallCodes ? code : kUnknown);
    }
    methods->Proceed();
  }

 private:
  void end(std::size_t code) {
    if (ended_) return;
    ended_ = true;
    const std::chrono::nanoseconds span = std::chrono::steady_clock::now() - begun_;
    const Duration duration{std::max<std::int64_t>(span.count(), 0)};
    method_.bins[histogram_bin(duration)].fetch_add(1, std::memory_order_relaxed);
    method_.sum_ns.fetch_add(static_cast<std::uint64_t>(duration.ns), std::memory_order_relaxed);
    method_.ended[code].fetch_add(1, std::memory_order_release);
  }

  Method& method_;
  const std::chrono::steady_clock::time_point begun_;
  bool ended_ = false;
};

class CallCounts::Factory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Factory(CallCounts& counts) : counts_(counts) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    return new OneCall(counts_.method(call->method()));
  }

 private:
  CallCounts& counts_;
};

CallCounts::CallCounts() {
  const auto* const pool = google::protobuf::DescriptorPool::generated_pool();
  for (const char* const full_name :
       {v1::RateLimiterService::service_full_name(), v1::ShaperService::service_full_name()}) {
    const auto* const service = pool->FindServiceByName(full_name);
    if (service == nullptr) continue;
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string& name = service->method(i)->name();
      by_path_["/" + service->full_name() + "/" + name] = methods_.size();
      methods_.push_back(std::make_unique<Method>());
      methods_.back()->name = service->name() + "/" + name;
    }
  }
  methods_.push_back(std::make_unique<Method>());
  methods_.back()->name = "other";
}

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> CallCounts::factory() {
  return std::make_unique<Factory>(*this);
}

CallCounts::Method& CallCounts::method(const char* path) {
  const auto found = path == nullptr ? by_path_.end() : by_path_.find(path);
  return found == by_path_.end() ? *methods_.back() : *methods_[found->second];
}

std::vector<CallStats> CallCounts::read() const {
  std::vector<CallStats> all;
  all.reserve(methods_.size());
  for (const auto& method : methods_) {
    CallStats& stats = all.emplace_back();
    stats.method = method->name;
    std::uint64_t ended = 0;
    for (std::size_t i = 0; i < kCallCodes; ++i) {
      stats.ended[i] = method->ended[i].load(std::memory_order_acquire);
      ended += stats.ended[i];
    }
    // Read after the ends, so that it is not less.
    stats.in_progress = method->begun.load(std::memory_order_relaxed) - ended;
    for (std::size_t i = 0; i < kHistogramBins; ++i) {
      stats.duration.counts[i] = method->bins[i].load(std::memory_order_relaxed);
    }
    stats.duration.sum_ns = method->sum_ns.load(std::memory_order_relaxed);
  }
  return all;
}

}  // namespace drip::control
