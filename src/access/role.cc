// SPDX-License-Identifier: BSD-3-Clause
#include "access/role.h"

namespace drip::access {

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kRead:
      return "read";
    case Role::kOperate:
      return "operate";
    case Role::kAdmin:
      return "admin";
  }
  return "?";
}

std::optional<Role> role_named(std::string_view name) {
  for (const Role role : {Role::kRead, Role::kOperate, Role::kAdmin}) {
    if (name == name_of(role)) return role;
  }
  return std::nullopt;
}

}  // namespace drip::access
