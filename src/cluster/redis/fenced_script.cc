// SPDX-License-Identifier: BSD-3-Clause
// The check in front of a leader's script.
#include "cluster/redis/fenced_script.h"

namespace drip::cluster {

std::string fenced(std::string_view body) {
  std::string text = R"lua(
local fence = redis.call('HGET', KEYS[1], 'epoch') or '0'
if fence ~= ARGV[1] then
  return redis.error_reply('FENCED epoch ' .. ARGV[1] .. ' is over: the present one is ' .. fence)
end
)lua";
  text += body;
  return text;
}

}  // namespace drip::cluster
