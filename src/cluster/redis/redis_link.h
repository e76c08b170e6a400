// SPDX-License-Identifier: BSD-3-Clause
// The link to the cluster's Redis: connects by itself, and reconnects after a failure.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/redis/byte_stream.h"
#include "cluster/redis/redis_connection.h"
#include "cluster/redis/redis_reply.h"
#include "cluster/redis/redis_script.h"

namespace drip::cluster {

/// EVALSHA, or EVAL.
[[nodiscard]] RedisCommand command_of(const ScriptCall& call, bool by_hash);
[[nodiscard]] bool is_unknown_script(const RedisReply& reply);

/// Not thread safe: a link belongs to one thread. Threads that must not wait for each other's
/// commands have links of their own.
///
/// Every call ends by its deadline, command_timeout from now unless one is given; connecting, where
/// it has to be done first, takes connect_timeout at the most and also ends by a given deadline.
///
/// UNAVAILABLE: there is no connection (then at once, with the reason, until the backoff has
/// passed) or it broke. DEADLINE_EXCEEDED: no answer in time; the connection is closed. In both
/// cases commands that were sent may have been carried out or not. What Redis refuses is as
/// status_of() has it. An error that says that the server is no master, or cut off from its
/// replicas, closes the connection too, so that the next call looks for the master again. A server
/// that was demoted goes on answering what only reads, perhaps with old data: before commands it is
/// asked for its ROLE, once in RedisOptions::role_period, and left if it is no master any more; the
/// commands go to the master that is found then. Calls of send() do not ask.
class RedisLink {
 public:
  explicit RedisLink(RedisOptions options);

  [[nodiscard]] absl::StatusOr<RedisReply> command(const RedisCommand& command,
                                                   std::optional<Deadline> deadline = {});
  /// All in one piece; one reply for each, in order, each of which may be an error (status_of()).
  [[nodiscard]] absl::StatusOr<std::vector<RedisReply>> pipeline(
      std::span<const RedisCommand> commands, std::optional<Deadline> deadline = {});

  /// EVALSHA, or EVAL where Redis does not know the script.
  [[nodiscard]] absl::StatusOr<RedisReply> script(const RedisScript& script,
                                                  std::vector<std::string> keys,
                                                  std::vector<std::string> arguments,
                                                  std::optional<Deadline> deadline = {});
  /// The same for several in one piece: one reply for each, in order. Scripts that Redis did not
  /// know run after those that it knew.
  [[nodiscard]] absl::StatusOr<std::vector<RedisReply>> scripts(
      std::span<const ScriptCall> calls, std::optional<Deadline> deadline = {});

  // The halves of scripts() and pipeline(), for a caller with other work in between. They do not
  // connect: UNAVAILABLE without a connection.
  [[nodiscard]] absl::Status send(std::span<const RedisCommand> commands, Deadline deadline);
  /// DEADLINE_EXCEEDED leaves the connection as it is: the reply may still come.
  [[nodiscard]] absl::StatusOr<RedisReply> receive(Deadline deadline);
  /// Closes a connection whose replies are no longer expected, as a failed call does.
  void give_up(const absl::Status& reason);

  /// Connects if need be.
  [[nodiscard]] absl::Status connect(std::optional<Deadline> deadline = {});
  /// Ends the connection; the next call connects again, without a pause.
  void disconnect();

  [[nodiscard]] bool connected() const { return connection_ != nullptr; }
  /// The server of the present or last connection; empty if there was none.
  [[nodiscard]] const std::string& peer() const { return peer_; }
  /// Of that server, by HELLO; empty if it is not known.
  [[nodiscard]] const std::string& server_version() const { return server_version_; }
  /// How many connections were made: a change means that something may have been missed.
  [[nodiscard]] std::uint64_t connections() const { return connections_; }
  /// When the next call may try to connect; in the past if it may now.
  [[nodiscard]] Deadline next_attempt() const { return next_attempt_; }
  [[nodiscard]] const RedisOptions& options() const { return options_; }

 private:
  [[nodiscard]] absl::StatusOr<std::unique_ptr<RedisConnection>> make_connection(Deadline deadline);
  void back_off(const absl::Status& reason);
  // Of the present connection, if it is time to ask. Leaves a server that is none.
  [[nodiscard]] absl::Status check_role(Deadline deadline);

  RedisOptions options_;
  std::unique_ptr<RedisConnection> connection_;
  std::string peer_;
  std::string server_version_;
  std::uint64_t connections_ = 0;
  std::chrono::milliseconds backoff_{0};
  Deadline next_attempt_{};
  Deadline next_role_check_{};
  absl::Status last_failure_;
  std::minstd_rand random_;
};

}  // namespace drip::cluster
