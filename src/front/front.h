// SPDX-License-Identifier: BSD-3-Clause
// The whole control process: from its settings to its end.
#pragma once

#include <functional>
#include <string>

#include "base/file_descriptor.h"

namespace drip::front {

/// Serves until the link is closed or says that it is to end. `start_log(level)` is called when the
/// level is known. Returns the exit code.
int run_front(FileDescriptor link, const std::function<void(const std::string&)>& start_log);

}  // namespace drip::front
