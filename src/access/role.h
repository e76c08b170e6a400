// SPDX-License-Identifier: BSD-3-Clause
// What a caller may do: read, operate or administer.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace drip::access {

/// Each may do what those before it may.
enum class Role : std::uint8_t {
  kRead,     ///< Status, lists, watches.
  kOperate,  ///< Also requests: admit them and wait for their turns.
  kAdmin,    ///< Everything.
};

/// "read", "operate" or "admin".
[[nodiscard]] std::string_view name_of(Role role);
[[nodiscard]] std::optional<Role> role_named(std::string_view name);
inline constexpr std::string_view kRoleNames = "read, operate, admin";

}  // namespace drip::access
