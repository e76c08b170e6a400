// SPDX-License-Identifier: BSD-3-Clause
#include "state/digest.h"

#include <fmt/format.h>
#include <openssl/sha.h>

namespace drip::state {

Digest digest_of(std::string_view bytes) {
  Digest digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

std::string text_of(const Digest& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace drip::state
