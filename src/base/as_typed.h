// SPDX-License-Identifier: BSD-3-Clause
// Shows in an error what somebody has typed.
#pragma once

#include <string>
#include <string_view>

namespace drip {

/// `text` in single quotes and whole; unprintable bytes are escaped, so that an error is one line
/// and does nothing to a terminal or a log.
[[nodiscard]] std::string as_typed(std::string_view text);

}  // namespace drip
