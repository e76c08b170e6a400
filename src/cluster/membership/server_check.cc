// SPDX-License-Identifier: BSD-3-Clause
// The version by HELLO, the rights by trying.
#include "cluster/membership/server_check.h"

#include <charconv>

#include "base/text.h"
#include "cluster/membership/check_rights_lua.h"
#include "cluster/redis/redis_script.h"

namespace drip::cluster {
namespace {

// Has all that the scripts use: ZRANGE with BYSCORE came last.
constexpr int kOldestMajor = 6;
constexpr int kOldestMinor = 2;

const RedisScript& rights_script() {
  static const RedisScript script(kCheckRightsLua);
  return script;
}

}  // namespace

bool is_too_old(const std::string& version) {
  int major = 0;
  int minor = 0;
  const char* const end = version.data() + version.size();
  const auto read = std::from_chars(version.data(), end, major);
  if (read.ec != std::errc{} || read.ptr == end) return false;
  std::from_chars(read.ptr + 1, end, minor);
  return major < kOldestMajor || (major == kOldestMajor && minor < kOldestMinor);
}

std::vector<std::string> check_server(RedisLink& link, const std::string& prefix) {
  std::vector<std::string> warnings;
  const std::string where = joined("Redis at ", link.peer());
  if (is_too_old(link.server_version())) {
    warnings.push_back(joined(where, " is version ", link.server_version(), "; Drip needs ",
                              kOldestMajor, ".", kOldestMinor, " or newer"));
  }
  const std::string own = joined(prefix, "check:");
  const auto refused =
      link.script(rights_script(), {own + "string", own + "hash", own + "set", own + "stream"}, {});
  if (!refused.ok() || refused->array() == nullptr) return warnings;
  for (const RedisReply& each : *refused->array()) {
    const std::string* const text = each.text();
    if (text != nullptr) {
      warnings.push_back(
          joined(where, " refuses ", *text, " (docs/cluster.md lists what a user needs)"));
    }
  }
  return warnings;
}

}  // namespace drip::cluster
