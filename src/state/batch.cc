// SPDX-License-Identifier: BSD-3-Clause
#include "state/batch.h"

#include <cstdint>
#include <optional>

#include "base/text.h"
#include "state/little_endian.h"

namespace drip::state {
namespace {

constexpr std::uint8_t kPut = 1;
constexpr std::uint8_t kErase = 2;

void append_text(std::string& bytes, std::string_view text) {
  append_number(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
}

// None if there are not enough bytes.
std::optional<std::string_view> text_at(std::string_view bytes, std::size_t& at) {
  constexpr std::size_t kLength = sizeof(std::uint32_t);
  if (bytes.size() - at < kLength) return std::nullopt;
  const std::size_t length = number_at<std::uint32_t>(bytes, at);
  at += kLength;
  if (bytes.size() - at < length) return std::nullopt;
  const std::string_view text = bytes.substr(at, length);
  at += length;
  return text;
}

absl::Status cut_off(std::size_t at) {
  return absl::InternalError(joined("the change at byte ", at, " is cut off"));
}

}  // namespace

void Batch::put(std::string_view key, std::string_view value) {
  append_number(bytes_, kPut);
  append_text(bytes_, key);
  append_text(bytes_, value);
}

void Batch::erase(std::string_view key) {
  append_number(bytes_, kErase);
  append_text(bytes_, key);
}

absl::Status apply_batch(std::string_view bytes, Image& image) {
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t begin = at;
    const auto kind = static_cast<std::uint8_t>(bytes[at++]);
    if (kind != kPut && kind != kErase) {
      return absl::InternalError(joined("the change at byte ", begin, ": kind ", kind,
                                        " is not allowed: 1 (put) or 2 (erase)"));
    }
    const auto key = text_at(bytes, at);
    if (!key) return cut_off(begin);
    if (kind == kErase) {
      if (const auto found = image.find(*key); found != image.end()) image.erase(found);
      continue;
    }
    const auto value = text_at(bytes, at);
    if (!value) return cut_off(begin);
    image.insert_or_assign(std::string(*key), std::string(*value));
  }
  return absl::OkStatus();
}

}  // namespace drip::state
