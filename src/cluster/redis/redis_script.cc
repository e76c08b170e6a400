// SPDX-License-Identifier: BSD-3-Clause
// SHA-1 as Redis names its scripts.
#include "cluster/redis/redis_script.h"

#include <openssl/sha.h>

#include <array>
#include <utility>

#include "fmt/format.h"

namespace drip::cluster {

RedisScript::RedisScript(std::string source) : source_(std::move(source)) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(source_.data()), source_.size(), digest.data());
  for (const unsigned char byte : digest) sha1_ += fmt::format("{:02x}", byte);
}

}  // namespace drip::cluster
