// SPDX-License-Identifier: BSD-3-Clause
#include "access/methods.h"

#include <algorithm>
#include <array>

#include "base/errors.h"
#include "base/text.h"

namespace drip::access {
namespace {

constexpr std::string_view kLimiter = "RateLimiterService";
constexpr std::string_view kShaper = "ShaperService";

constexpr std::array kMethods = {
    MethodAccess{kLimiter, "AllowRequest", Role::kOperate, true},
    MethodAccess{kLimiter, "AllowRequests", Role::kOperate, true},
    MethodAccess{kLimiter, "AwaitTurn", Role::kOperate, true},
    MethodAccess{kLimiter, "AwaitTurns", Role::kOperate, true},
    MethodAccess{kLimiter, "GetBucketStatus", Role::kRead, true},
    MethodAccess{kLimiter, "ConfigureBucket", Role::kAdmin, true},
    MethodAccess{kLimiter, "DeleteBucket", Role::kAdmin, true},
    MethodAccess{kLimiter, "GetQueuedRequests", Role::kRead, true},
    MethodAccess{kLimiter, "GetLeader", Role::kRead, false},
    MethodAccess{kLimiter, "GetClusterStatus", Role::kRead, false},
    MethodAccess{kLimiter, "GetClusterShares", Role::kRead, false},
    MethodAccess{kLimiter, "ForgetNode", Role::kAdmin, false},
    MethodAccess{kShaper, "ConfigureBuckets", Role::kAdmin, true},
    MethodAccess{kShaper, "ListBuckets", Role::kRead, true},
    MethodAccess{kShaper, "WatchBuckets", Role::kRead, true},
    MethodAccess{kShaper, "WatchTop", Role::kRead, true},
    MethodAccess{kShaper, "SetRules", Role::kAdmin, false},
    MethodAccess{kShaper, "SetRule", Role::kAdmin, false},
    MethodAccess{kShaper, "DeleteRule", Role::kAdmin, false},
    MethodAccess{kShaper, "SetAddressList", Role::kAdmin, false},
    MethodAccess{kShaper, "DeleteAddressList", Role::kAdmin, false},
    MethodAccess{kShaper, "ListAddressLists", Role::kRead, false},
    MethodAccess{kShaper, "ListRules", Role::kRead, false},
    MethodAccess{kShaper, "Explain", Role::kRead, false},
    // Not for read: it shows what customers send.
    MethodAccess{kShaper, "Capture", Role::kAdmin, true},
    MethodAccess{kShaper, "GetBucketTraffic", Role::kRead, true},
    MethodAccess{kShaper, "ListPorts", Role::kRead, false},
    MethodAccess{kShaper, "ListLcores", Role::kRead, false},
    MethodAccess{kShaper, "GetNode", Role::kRead, false},
    // Not for read: it shows who has access, and from where.
    MethodAccess{kShaper, "ListChanges", Role::kAdmin, true},
};

}  // namespace

std::span<const MethodAccess> all_methods() { return kMethods; }

const MethodAccess* find_method(std::string_view service, std::string_view method) {
  const auto* const found = std::ranges::find_if(kMethods, [&](const MethodAccess& known) {
    return known.service == service && known.method == method;
  });
  return found == kMethods.end() ? nullptr : found;
}

absl::Status check_may_call(const Caller& caller, const MethodAccess& method) {
  if (caller.role < method.role) {
    return absl::PermissionDeniedError(joined(method.method, " needs the role ",
                                              name_of(method.role), "; seen as ", caller.name,
                                              " with the role ", name_of(caller.role)));
  }
  if (!caller.prefix.empty() && !method.about_buckets) {
    return absl::PermissionDeniedError(
        joined(method.method, " is about the whole node; seen as ", caller.name,
               ", which is kept to buckets that begin with ", quoted(caller.prefix)));
  }
  return absl::OkStatus();
}

absl::Status check_covers(const Caller& caller, std::string_view field,
                          std::string_view bucket_id) {
  if (covers(caller, bucket_id)) return absl::OkStatus();
  return absl::PermissionDeniedError(
      joined(field, ": ", quoted(bucket_id), " is not allowed: ", caller.name,
             " is kept to buckets that begin with ", quoted(caller.prefix)));
}

}  // namespace drip::access
