// SPDX-License-Identifier: BSD-3-Clause
// What a process gives up for good, because it talks to the network.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace drip::front {

/// All capabilities, what programs with setuid bits would give, and dumps of its memory, which has
/// keys. The kernel ends it when the thread that started it ends, and takes it first when memory
/// runs out. With a `user` it becomes that user. INVALID_ARGUMENT or PERMISSION_DENIED naming the
/// user if it cannot.
[[nodiscard]] absl::Status drop_privileges(const std::string& user);

}  // namespace drip::front
