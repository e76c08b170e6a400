// SPDX-License-Identifier: BSD-3-Clause
// Who makes a call, as far as it is known, and what this caller may do.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "access/role.h"

namespace drip::access {

struct Caller {
  /// For errors and the audit log: `token "ci"`, `certificate CN=ops`, `uid 1000`, "anyone".
  std::string name;
  Role role = Role::kRead;
  /// Only buckets whose ids begin with it; empty: all buckets, and the node as a whole.
  std::string prefix;

  friend bool operator==(const Caller&, const Caller&) = default;
};
/// Never null. Shared by all calls of one caller.
using CallerRef = std::shared_ptr<const Caller>;

/// Whether the caller's prefix has the bucket in it, be there such a bucket or not.
[[nodiscard]] inline bool covers(const Caller& caller, std::string_view bucket_id) {
  return bucket_id.starts_with(caller.prefix);
}
/// PERMISSION_DENIED naming `field` and the prefix unless covers(). The same for a bucket that
/// exists and for one that does not.
[[nodiscard]] absl::Status check_covers(const Caller& caller, std::string_view field,
                                        std::string_view bucket_id);

}  // namespace drip::access
