// SPDX-License-Identifier: BSD-3-Clause
#include "access/token.h"

#include <fmt/chrono.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <cstring>
#include <memory>
#include <utility>

#include "base/errors.h"
#include "base/text.h"

namespace drip::access {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::string_view kSecretBegin = "drip_";

std::uint64_t key_of(const TokenDigest& digest) {
  std::uint64_t key = 0;
  std::memcpy(&key, digest.data(), sizeof key);
  return key;
}

}  // namespace

absl::StatusOr<std::string> make_secret() {
  std::array<std::uint8_t, kSecretBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return absl::UnavailableError("the system has no random numbers for a secret");
  }
  std::string secret(kSecretBegin);
  for (const std::uint8_t byte : bytes) secret += fmt::format("{:02x}", byte);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return secret;
}

TokenDigest digest_of(std::string_view secret) {
  TokenDigest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), digest.data());
  return digest;
}

TokenSet::TokenSet(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const Token& token = tokens_[i];
    callers_.push_back(std::make_shared<const Caller>(
        Caller{joined("token ", quoted(token.name)), token.role, token.prefix}));
    by_digest_.emplace(key_of(token.digest), i);
  }
}

absl::StatusOr<CallerRef> TokenSet::find(std::string_view secret, TokenTime now) const {
  const TokenDigest digest = digest_of(secret);
  const auto [first, last] = by_digest_.equal_range(key_of(digest));
  for (auto at = first; at != last; ++at) {
    const Token& token = tokens_[at->second];
    if (CRYPTO_memcmp(token.digest.data(), digest.data(), digest.size()) != 0) continue;
    if (token.expires && *token.expires <= now) {
      return absl::UnauthenticatedError(
          joined("token ", quoted(token.name), " expired at ",
                 fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                             fmt::gmtime(std::chrono::system_clock::to_time_t(*token.expires)))));
    }
    return callers_[at->second];
  }
  return absl::UnauthenticatedError("the token is not known here, or was revoked");
}

}  // namespace drip::access
