// SPDX-License-Identifier: BSD-3-Clause
// The file of tokens, which dripctl writes and dripd reads.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "access/token.h"

namespace drip::access {

/// The tokens of a TOML file, in its order. INVALID_ARGUMENT, `file:line:column: field: reason`,
/// for a file with an error, or one that others than its owner and group can write; NOT_FOUND if
/// there is none.
[[nodiscard]] absl::StatusOr<std::vector<Token>> read_token_file(const std::string& path);

/// Replaces the file in one step, with mode 0600 or that of the file that was there, and its owner
/// and group as far as the caller may. On disk when it returns. UNAVAILABLE with the system's
/// reason; then the old file is as it was.
[[nodiscard]] absl::Status write_token_file(const std::string& path,
                                            const std::vector<Token>& tokens);

/// Held by whoever reads the file, changes it and writes it back, so that no change is lost.
class TokenFileLock {
 public:
  /// Waits for others. `path` + ".lock" is created if need be.
  [[nodiscard]] static absl::StatusOr<TokenFileLock> take(const std::string& path);
  TokenFileLock(TokenFileLock&& other) noexcept;
  TokenFileLock& operator=(TokenFileLock&&) = delete;
  ~TokenFileLock();

 private:
  explicit TokenFileLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace drip::access
