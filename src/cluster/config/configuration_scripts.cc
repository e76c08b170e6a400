// SPDX-License-Identifier: BSD-3-Clause
// Makes the scripts once, each behind the same head.
#include "cluster/config/configuration_scripts.h"

#include <string>

#include "cluster/config/commit_lua.h"
#include "cluster/config/config_head_lua.h"
#include "cluster/config/read_all_lua.h"
#include "cluster/config/read_log_lua.h"
#include "cluster/config/recover_lua.h"

namespace drip::cluster {
namespace {

std::string with_head(const char* body) { return std::string(kConfigHeadLua) + body; }

}  // namespace

const RedisScript& read_log_script() {
  static const RedisScript script(with_head(kReadLogLua));
  return script;
}

const RedisScript& read_all_script() {
  static const RedisScript script(with_head(kReadAllLua));
  return script;
}

const RedisScript& commit_script() {
  static const RedisScript script(with_head(kCommitLua));
  return script;
}

const RedisScript& recover_script() {
  static const RedisScript script(with_head(kRecoverLua));
  return script;
}

}  // namespace drip::cluster
