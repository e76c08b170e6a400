// SPDX-License-Identifier: BSD-3-Clause
// A Lua script that Redis runs as one step, by the hash of its text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace drip::cluster {

/// Immutable; made once and shared by all links and threads.
class RedisScript {
 public:
  explicit RedisScript(std::string source);

  [[nodiscard]] const std::string& source() const { return source_; }
  [[nodiscard]] const std::string& sha1() const { return sha1_; }  ///< In hexadecimal.

 private:
  std::string source_;
  std::string sha1_;
};

struct ScriptCall {
  const RedisScript* script = nullptr;  ///< Outlives the call.
  std::vector<std::string> keys;
  std::vector<std::string> arguments;
};

}  // namespace drip::cluster
