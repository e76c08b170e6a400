// SPDX-License-Identifier: BSD-3-Clause
// Reads a file of prefixes.
#pragma once

#include <string>
#include <vector>

namespace drip::cli {

// The words of all lines, without what follows a #. "-": standard input. Throws UsageError.
std::vector<std::string> read_list_file(const std::string& path);

}  // namespace drip::cli
