// SPDX-License-Identifier: BSD-3-Clause
// Bearer tokens: a secret that only its holder has, and what dripd keeps of it.
//
// A secret has 256 random bits, so its SHA-256 is enough to keep: nobody can try all secrets, which
// is what slow hashes (scrypt, bcrypt) are for with passwords that people choose. A slow hash would
// cost every call what it costs an attacker.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "access/caller.h"
#include "access/role.h"

namespace drip::access {

using TokenDigest = std::array<std::uint8_t, 32>;
using TokenTime = std::chrono::sys_seconds;

struct Token {
  std::string name;
  Role role = Role::kRead;
  std::string prefix;  ///< As Caller::prefix.
  TokenTime created{};
  std::optional<TokenTime> expires;  ///< From then on it is refused.
  TokenDigest digest{};              ///< SHA-256 of the secret's text.
};

/// "drip_" and 64 hexadecimal digits of the system's random numbers. UNAVAILABLE if there are none.
[[nodiscard]] absl::StatusOr<std::string> make_secret();
[[nodiscard]] TokenDigest digest_of(std::string_view secret);

/// Finds the token of a secret. Immutable, so thread safe.
class TokenSet {
 public:
  TokenSet() = default;
  explicit TokenSet(std::vector<Token> tokens);

  /// UNAUTHENTICATED if there is no such token, or if it has expired.
  ///
  /// The look-up is by the first bytes of the digest, the comparison of all of it takes the same
  /// time wherever they differ. That the look-up's time depends on the digest's first bytes tells
  /// an attacker nothing: who cannot invert SHA-256 cannot choose a secret by its digest.
  [[nodiscard]] absl::StatusOr<CallerRef> find(std::string_view secret, TokenTime now) const;
  [[nodiscard]] std::span<const Token> tokens() const { return tokens_; }

 private:
  std::vector<Token> tokens_;
  std::vector<CallerRef> callers_;  // Of each token.
  std::unordered_multimap<std::uint64_t, std::size_t> by_digest_;
};

}  // namespace drip::access
