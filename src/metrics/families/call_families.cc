// SPDX-License-Identifier: BSD-3-Clause
// Families of the RPCs.
#include <array>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

constexpr FamilySpec kCalls{"drip_rpc_calls_total", kCounter, "calls", "method, code",
                            "Calls that have ended, by method and status code; a code has its "
                            "series from its first call on, OK always."};
constexpr FamilySpec kInProgress{"drip_rpc_calls_in_progress", kGauge, "calls", "method",
                                 "Calls that have begun and not ended."};
constexpr FamilySpec kDuration{
    "drip_rpc_duration_seconds", kHistogram, "seconds", "method",
    "From the begin of a call on the server to its status; a method has its series from its first "
    "call on. The sum is exact."};

// The names of grpc::StatusCode, as gRPC's documentation writes them.
constexpr std::array kCodes = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};
static_assert(kCodes.size() == control::kCallCodes);

}  // namespace

void add_calls(std::span<const control::CallStats> calls, Families& families) {
  MetricFamily& ended = families.begin(kCalls);
  MetricFamily& in_progress = families.begin(kInProgress);
  MetricFamily& duration = families.begin(kDuration);
  for (const control::CallStats& method : calls) {
    const ClientMetric::Label label{"method", method.method};
    for (std::size_t code = 0; code < kCodes.size(); ++code) {
      if (code > 0 && method.ended[code] == 0) continue;
      add(ended, {label, {"code", kCodes[code]}}, number(method.ended[code]));
    }
    add(in_progress, {label}, number(method.in_progress));
    if (method.duration.sum_ns > 0) {
      add_latency(duration, {label}, method.duration, kCoarseBounds);
    }
  }
}

std::span<const FamilySpec* const> call_specs() {
  static constexpr std::array kSpecs = {&kCalls, &kInProgress, &kDuration};
  return kSpecs;
}

}  // namespace drip::metrics
