// SPDX-License-Identifier: BSD-3-Clause
// Counts RPCs by method and status code, where gRPC begins and ends them.
#pragma once

#include <grpcpp/support/server_interceptor.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "control/model/call_stats.h"
#include "drip/histogram.h"

namespace drip::control {

/// Thread safe; outlives the server. Methods are those of the two services, so that no client can
/// add any; all others are counted as one. A call costs an allocation of gRPC and two readings of
/// the clock, so servers count only if they are asked to.
class CallCounts {
 public:
  CallCounts();
  CallCounts(const CallCounts&) = delete;
  CallCounts& operator=(const CallCounts&) = delete;

  /// For grpc::ServerBuilder.
  [[nodiscard]] std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> factory();
  /// One for each method, in the order of the .proto files.
  [[nodiscard]] std::vector<CallStats> read() const;

 private:
  class Factory;
  class OneCall;
  // Counters that all gRPC threads add to, on cache lines that no other method uses.
  struct alignas(64) Method {
    std::string name;
    std::atomic<std::uint64_t> begun{0};
    std::array<std::atomic<std::uint64_t>, kCallCodes> ended{};
    std::array<std::atomic<std::uint64_t>, kHistogramBins> bins{};
    std::atomic<std::uint64_t> sum_ns{0};
  };

  [[nodiscard]] Method& method(const char* path);

  std::vector<std::unique_ptr<Method>> methods_;          // The last one: all others.
  std::unordered_map<std::string, std::size_t> by_path_;  // "/drip.v1.ShaperService/GetNode"
};

}  // namespace drip::control
