// SPDX-License-Identifier: BSD-3-Clause
// Which role each RPC needs.
#pragma once

#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "access/caller.h"
#include "access/role.h"

namespace drip::access {

struct MethodAccess {
  std::string_view service;  ///< "RateLimiterService"
  std::string_view method;   ///< "AllowRequest"
  Role role = Role::kAdmin;  ///< The least that is needed.
  /// Only about buckets that the request names or selects: callers with a prefix may make it, and
  /// its handler keeps them to their buckets. All other RPCs are refused to them.
  bool about_buckets = false;
};

/// Every RPC of the API. One that is not here is not served.
[[nodiscard]] std::span<const MethodAccess> all_methods();
/// Null if it is not in all_methods().
[[nodiscard]] const MethodAccess* find_method(std::string_view service, std::string_view method);

/// PERMISSION_DENIED unless the caller may make this RPC: it says who was seen, with which role,
/// and what is needed.
[[nodiscard]] absl::Status check_may_call(const Caller& caller, const MethodAccess& method);

}  // namespace drip::access
