// SPDX-License-Identifier: BSD-3-Clause
// Error replies by their kind, as Redis 6 and 7 write them.
#include "cluster/redis/redis_reply.h"

#include <gtest/gtest.h>

namespace drip::cluster {
namespace {

using absl::StatusCode;

RedisReply error(const std::string& text) { return {RedisReply::Error{text}}; }

// What Redis up to 6.2 makes of it when a script does not catch it.
RedisReply in_script(const std::string& text) {
  return error(
      "ERR Error running script (call to f_0123456789abcdef): @user_script:7: "
      "@user_script: 7: -" +
      text);
}

TEST(RedisReply, ErrorsAreToldApartInScriptsAsWell) {
  struct Case {
    const char* text;
    StatusCode code;
    bool wrong_server;
    bool for_all;
  };
  for (const Case& each : {
           Case{"READONLY You can't write against a read only replica.", StatusCode::kUnavailable,
                true, true},
           Case{"OOM command not allowed when used memory > 'maxmemory'.",
                StatusCode::kResourceExhausted, false, true},
           Case{"MISCONF Redis is configured to save RDB snapshots", StatusCode::kUnavailable,
                false, true},
           Case{"BUSY Redis is busy running a script.", StatusCode::kUnavailable, false, true},
           Case{"NOREPLICAS Not enough good replicas to write.", StatusCode::kUnavailable, true,
                true},
           Case{"NOPERM this user has no permissions to run the 'zrange' command",
                StatusCode::kPermissionDenied, false, false},
           Case{"MOVED 3999 127.0.0.1:6381", StatusCode::kUnimplemented, false, false},
           Case{"ERR syntax error", StatusCode::kInternal, false, false},
       }) {
    for (const RedisReply& reply : {error(each.text), in_script(each.text)}) {
      const absl::Status status = status_of(reply);
      EXPECT_EQ(status.code(), each.code) << status;
      EXPECT_EQ(is_from_wrong_server(reply), each.wrong_server) << status;
      EXPECT_EQ(is_refused_to_all(status), each.for_all) << status;
    }
  }
}

TEST(RedisReply, WhatAScriptMayNotDoIsARight) {
  EXPECT_EQ(status_of(error("ERR The user executing the script can't run this command or "
                            "subcommand script: 0123, on @user_script:3."))
                .code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(status_of(error("ERR Error running script (call to f_0123): @user_script:3: The user "
                            "executing the script can't run this command or subcommand"))
                .code(),
            StatusCode::kPermissionDenied);
}

// A text of a script's own that only looks like it.
TEST(RedisReply, AScriptsOwnErrorIsNoOther) {
  EXPECT_EQ(status_of(error("ERR Error running script (call to f_0123): @user_script:3: "
                            "user_script:3: attempt to compare nil with number"))
                .code(),
            StatusCode::kInternal);
  EXPECT_TRUE(status_of(RedisReply{std::string("READONLY")}).ok());
}

}  // namespace
}  // namespace drip::cluster
