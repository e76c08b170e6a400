// SPDX-License-Identifier: BSD-3-Clause
// Reads the first line.
#include "base/password_file.h"

#include <fstream>

#include "base/errors.h"

namespace drip {

absl::StatusOr<std::string> read_password_file(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!file || !std::getline(file, line)) {
    return not_allowed("--cluster-password-file", quoted(path),
                       "a file that can be read, with one line");
  }
  while (line.ends_with('\r') || line.ends_with('\n')) line.pop_back();
  if (line.empty()) {
    return not_allowed("--cluster-password-file", quoted(path),
                       "its first line holds the password");
  }
  return line;
}

}  // namespace drip
