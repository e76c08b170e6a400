// SPDX-License-Identifier: BSD-3-Clause
// Redis's password in a file of its own.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace drip {

/// The first line of the file. INVALID_ARGUMENT if it cannot be read or is empty.
[[nodiscard]] absl::StatusOr<std::string> read_password_file(const std::string& path);

}  // namespace drip
