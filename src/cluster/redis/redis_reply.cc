// SPDX-License-Identifier: BSD-3-Clause
// Redis's error codes as absl's.
#include "cluster/redis/redis_reply.h"

#include <algorithm>
#include <array>
#include <utility>

namespace drip::cluster {
namespace {

using absl::StatusCode;

constexpr std::array<std::pair<std::string_view, StatusCode>, 13> kCodes{{
    {kFencedCode, StatusCode::kFailedPrecondition},
    {"NOAUTH", StatusCode::kUnauthenticated},
    {"WRONGPASS", StatusCode::kUnauthenticated},
    {"NOPERM", StatusCode::kPermissionDenied},
    {"OOM", StatusCode::kResourceExhausted},
    {"READONLY", StatusCode::kUnavailable},
    {"NOREPLICAS", StatusCode::kUnavailable},
    {"LOADING", StatusCode::kUnavailable},
    {"MASTERDOWN", StatusCode::kUnavailable},
    {"BUSY", StatusCode::kUnavailable},
    {"MISCONF", StatusCode::kUnavailable},
    {"TRYAGAIN", StatusCode::kUnavailable},
    {"CLUSTERDOWN", StatusCode::kUnavailable},
}};

std::string_view code_of(const RedisReply::Error& error) {
  return std::string_view(error.text).substr(0, error.text.find(' '));
}

}  // namespace

absl::Status status_of(const RedisReply& reply) {
  const RedisReply::Error* const error = reply.error();
  if (error == nullptr) return absl::OkStatus();
  const auto known =
      std::find_if(kCodes.begin(), kCodes.end(),
                   [code = code_of(*error)](const auto& each) { return each.first == code; });
  return {known == kCodes.end() ? StatusCode::kInternal : known->second, "Redis: " + error->text};
}

bool is_from_wrong_server(const RedisReply& reply) {
  const RedisReply::Error* const error = reply.error();
  if (error == nullptr) return false;
  const std::string_view code = code_of(*error);
  return code == "READONLY" || code == "NOREPLICAS" || code == "MASTERDOWN" || code == "LOADING";
}

}  // namespace drip::cluster
