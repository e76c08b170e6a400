// SPDX-License-Identifier: BSD-3-Clause
// Makes the scripts once.
#include "cluster/membership/membership_scripts.h"

#include "cluster/membership/heartbeat_lua.h"
#include "cluster/membership/leave_lua.h"

namespace drip::cluster {

const RedisScript& heartbeat_script() {
  static const RedisScript script(kHeartbeatLua);
  return script;
}

const RedisScript& leave_script() {
  static const RedisScript script(kLeaveLua);
  return script;
}

}  // namespace drip::cluster
