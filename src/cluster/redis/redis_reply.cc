// SPDX-License-Identifier: BSD-3-Clause
// Redis's error codes as absl's.
#include "cluster/redis/redis_reply.h"

#include <algorithm>
#include <array>
#include <utility>

namespace drip::cluster {
namespace {

using absl::StatusCode;

constexpr std::array<std::pair<std::string_view, StatusCode>, 18> kCodes{{
    {kFencedCode, StatusCode::kFailedPrecondition},
    {"NOAUTH", StatusCode::kUnauthenticated},
    {"WRONGPASS", StatusCode::kUnauthenticated},
    {"NOPERM", StatusCode::kPermissionDenied},
    {"DENIED", StatusCode::kPermissionDenied},
    {"OOM", StatusCode::kResourceExhausted},
    {"READONLY", StatusCode::kUnavailable},
    {"NOREPLICAS", StatusCode::kUnavailable},
    {"LOADING", StatusCode::kUnavailable},
    {"MASTERDOWN", StatusCode::kUnavailable},
    {"BUSY", StatusCode::kUnavailable},
    {"UNKILLABLE", StatusCode::kUnavailable},
    {"MISCONF", StatusCode::kUnavailable},
    {"TRYAGAIN", StatusCode::kUnavailable},
    {"CLUSTERDOWN", StatusCode::kUnavailable},
    // Of a Redis Cluster, which Drip does not work with.
    {"MOVED", StatusCode::kUnimplemented},
    {"ASK", StatusCode::kUnimplemented},
    {"CROSSSLOT", StatusCode::kUnimplemented},
}};

// Redis up to 6.2 wraps the error of a command that a script called, and which the script did not
// catch: "ERR Error running script (call to f_SHA): @user_script:3: @user_script: 3: -OOM command
// not allowed ...". 7.0 and later begin with the command's own code.
constexpr std::string_view kScriptError = "ERR Error running script";
// Instead of a code where a script's command is refused by an ACL.
constexpr std::string_view kScriptRight =
    "The user executing the script can't run this command or subcommand";

// The code of a command's error, also of one inside of a script.
std::string_view code_of(const RedisReply::Error& error) {
  std::string_view text = error.text;
  if (text.find(kScriptRight) != std::string_view::npos) return "NOPERM";
  if (text.starts_with(kScriptError)) {
    constexpr std::string_view kInner = "@user_script: ";
    if (const std::size_t at = text.rfind(kInner); at != std::string_view::npos) {
      const std::string_view inner = text.substr(at + kInner.size());
      if (const std::size_t dash = inner.find(": -"); dash != std::string_view::npos) {
        text = inner.substr(dash + 3);
      }
    }
  }
  return text.substr(0, text.find(' '));
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

bool is_refused_to_all(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status);
}

bool is_from_wrong_server(const RedisReply& reply) {
  const RedisReply::Error* const error = reply.error();
  if (error == nullptr) return false;
  const std::string_view code = code_of(*error);
  return code == "READONLY" || code == "NOREPLICAS" || code == "MASTERDOWN" || code == "LOADING";
}

}  // namespace drip::cluster
