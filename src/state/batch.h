// SPDX-License-Identifier: BSD-3-Clause
// Changes of the state that are stored together or not at all.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace drip::state {

/// All that is stored, by key.
using Image = std::map<std::string, std::string, std::less<>>;

/// Not thread safe. A later change of the same key wins.
class Batch {
 public:
  void put(std::string_view key, std::string_view value);
  /// No effect if there is no such key.
  void erase(std::string_view key);
  /// Behind what is here already.
  void append(const Batch& more) { bytes_ += more.bytes_; }

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  /// As it is stored.
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Makes the changes that `bytes` holds. INTERNAL, with the offset within `bytes`, if these are not
/// Batch::bytes(); then a part may have been made.
[[nodiscard]] absl::Status apply_batch(std::string_view bytes, Image& image);

}  // namespace drip::state
