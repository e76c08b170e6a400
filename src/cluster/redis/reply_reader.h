// SPDX-License-Identifier: BSD-3-Clause
// Decodes the replies of Drip's scripts.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/redis/redis_reply.h"

namespace drip::cluster {

inline constexpr std::int64_t kMostCount = std::int64_t{1} << 53;
[[nodiscard]] constexpr bool is_count(std::int64_t value) {
  return value >= 0 && value <= kMostCount;
}

/// Returns one field after the other. A field that is missing or of another type is returned empty,
/// and ok() is false from then on. The reply outlives the reader.
class ReplyReader {
 public:
  explicit ReplyReader(const RedisReply::Array* fields) : fields_(fields), ok_(fields != nullptr) {}
  explicit ReplyReader(const RedisReply::Array& fields) : fields_(&fields) {}

  std::int64_t number() {
    const RedisReply* const field = next();
    const std::int64_t* const value = field == nullptr ? nullptr : field->integer();
    if (value == nullptr) ok_ = false;
    return value == nullptr ? 0 : *value;
  }
  /// What counts or numbers something. Lua has no whole number above 2^53, so no script gives one.
  std::uint64_t count() {
    const std::int64_t value = number();
    if (is_count(value)) return static_cast<std::uint64_t>(value);
    ok_ = false;
    return 0;
  }
  std::string text() {
    const RedisReply* const field = next();
    const std::string* const value = field == nullptr ? nullptr : field->text();
    if (value == nullptr) ok_ = false;
    return value == nullptr ? std::string() : *value;
  }
  const RedisReply::Array& array() {
    static const RedisReply::Array none;
    const RedisReply* const field = next();
    const RedisReply::Array* const value = field == nullptr ? nullptr : field->array();
    if (value == nullptr) ok_ = false;
    return value == nullptr ? none : *value;
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  const RedisReply* next() {
    if (fields_ != nullptr && index_ < fields_->size()) return &(*fields_)[index_++];
    ok_ = false;
    return nullptr;
  }

  const RedisReply::Array* fields_;
  std::size_t index_ = 0;
  bool ok_ = true;
};

}  // namespace drip::cluster
