// SPDX-License-Identifier: BSD-3-Clause
// Connecting with backoff, and scripts by their hash.
#include "cluster/redis/redis_link.h"

#include <algorithm>
#include <utility>

#include "base/password_file.h"
#include "base/text.h"
#include "cluster/redis/redis_sentinel.h"

namespace drip::cluster {

RedisCommand command_of(const ScriptCall& call, bool by_hash) {
  RedisCommand command;
  command.reserve(3 + call.keys.size() + call.arguments.size());
  command.emplace_back(by_hash ? "EVALSHA" : "EVAL");
  command.push_back(by_hash ? call.script->sha1() : call.script->source());
  command.push_back(std::to_string(call.keys.size()));
  command.insert(command.end(), call.keys.begin(), call.keys.end());
  command.insert(command.end(), call.arguments.begin(), call.arguments.end());
  return command;
}

bool is_unknown_script(const RedisReply& reply) {
  return reply.error() != nullptr && reply.error()->text.starts_with("NOSCRIPT");
}

RedisLink::RedisLink(RedisOptions options)
    : options_(std::move(options)), random_(std::random_device{}()) {}

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisLink::make_connection(Deadline deadline) {
  if (!options_.password_file.empty()) {
    if (auto password = read_password_file(options_.password_file); password.ok()) {
      options_.url.password = *std::move(password);
    }
  }
  if (options_.url.by_sentinel()) return connect_by_sentinel(options_, deadline);
  RedisTarget target;
  target.unix_path = options_.url.unix_path;
  if (target.unix_path.empty()) target.endpoint = options_.url.endpoints.front();
  auto connection = RedisConnection::open(target, options_, deadline);
  if (!connection.ok()) return connection;
  if (auto status = (*connection)->greet(options_, deadline); !status.ok()) return status;
  return connection;
}

void RedisLink::back_off(const absl::Status& reason) {
  backoff_ = std::clamp(backoff_ * 2, options_.least_backoff, options_.most_backoff);
  std::uniform_int_distribution<std::int64_t> pause(backoff_.count() / 2, backoff_.count());
  next_attempt_ = deadline_in(std::chrono::milliseconds(pause(random_)));
  last_failure_ = reason;
}

absl::Status RedisLink::connect(std::optional<Deadline> deadline) {
  if (connection_ != nullptr) return absl::OkStatus();
  const auto now = std::chrono::steady_clock::now();
  if (now < next_attempt_) {
    return absl::UnavailableError(
        joined("no connection to ", to_string(options_.url), ": ", message_of(last_failure_)));
  }
  const Deadline own = now + options_.connect_timeout;
  auto connection = make_connection(deadline ? std::min(*deadline, own) : own);
  if (!connection.ok()) {
    back_off(connection.status());
    return connection.status();
  }
  connection_ = *std::move(connection);
  peer_ = connection_->peer();
  server_version_ = connection_->server_version();
  ++connections_;
  next_role_check_ = now + options_.role_period;
  return absl::OkStatus();
}

absl::Status RedisLink::check_role(Deadline deadline) {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_role_check_) return absl::OkStatus();
  next_role_check_ = now + options_.role_period;
  absl::Status status = connection_->check_is_master(deadline);
  // A user without the right to ask finds out with the first write.
  if (status.ok() || absl::IsPermissionDenied(status)) return absl::OkStatus();
  connection_.reset();
  back_off(status);
  return status;
}

void RedisLink::disconnect() {
  connection_.reset();
  backoff_ = {};
  next_attempt_ = {};
}

absl::StatusOr<std::vector<RedisReply>> RedisLink::pipeline(std::span<const RedisCommand> commands,
                                                            std::optional<Deadline> deadline) {
  const bool had_connection = connected();
  if (auto status = connect(deadline); !status.ok()) return status;
  const Deadline end = deadline.value_or(deadline_in(options_.command_timeout));
  if (had_connection && !check_role(end).ok()) {
    // Nothing has been sent: the master may be another server by now.
    next_attempt_ = {};
    if (auto status = connect(deadline); !status.ok()) return status;
  }
  auto replies = connection_->run(commands, end);
  if (!replies.ok()) {
    connection_.reset();
    back_off(replies.status());
    return replies;
  }
  const auto wrong = std::find_if(replies->begin(), replies->end(), is_from_wrong_server);
  if (wrong != replies->end()) {
    connection_.reset();
    back_off(status_of(*wrong));
  } else {
    backoff_ = {};
  }
  return replies;
}

absl::Status RedisLink::send(std::span<const RedisCommand> commands, Deadline deadline) {
  if (connection_ == nullptr) return last_failure_;
  absl::Status status = connection_->send(commands, deadline);
  if (!status.ok()) give_up(status);
  return status;
}

absl::StatusOr<RedisReply> RedisLink::receive(Deadline deadline) {
  if (connection_ == nullptr) return last_failure_;
  auto reply = connection_->receive(deadline);
  if (!reply.ok()) {
    if (!absl::IsDeadlineExceeded(reply.status())) give_up(reply.status());
  } else if (!is_from_wrong_server(*reply)) {
    backoff_ = {};
  }
  return reply;
}

void RedisLink::give_up(const absl::Status& reason) {
  connection_.reset();
  back_off(reason);
}

absl::StatusOr<RedisReply> RedisLink::command(const RedisCommand& command,
                                              std::optional<Deadline> deadline) {
  auto replies = pipeline(std::span(&command, 1), deadline);
  if (!replies.ok()) return replies.status();
  if (auto status = status_of(replies->front()); !status.ok()) return status;
  return std::move(replies->front());
}

absl::StatusOr<RedisReply> RedisLink::script(const RedisScript& script,
                                             std::vector<std::string> keys,
                                             std::vector<std::string> arguments,
                                             std::optional<Deadline> deadline) {
  const ScriptCall call{&script, std::move(keys), std::move(arguments)};
  auto replies = scripts(std::span(&call, 1), deadline);
  if (!replies.ok()) return replies.status();
  if (auto status = status_of(replies->front()); !status.ok()) return status;
  return std::move(replies->front());
}

absl::StatusOr<std::vector<RedisReply>> RedisLink::scripts(std::span<const ScriptCall> calls,
                                                           std::optional<Deadline> deadline) {
  std::vector<RedisCommand> commands;
  commands.reserve(calls.size());
  for (const ScriptCall& call : calls) commands.push_back(command_of(call, true));
  auto replies = pipeline(commands, deadline);
  if (!replies.ok()) return replies;

  std::vector<std::size_t> unknown;
  commands.clear();
  for (std::size_t i = 0; i < replies->size(); ++i) {
    if (!is_unknown_script((*replies)[i])) continue;
    unknown.push_back(i);
    commands.push_back(command_of(calls[i], false));
  }
  if (unknown.empty()) return replies;
  auto more = pipeline(commands, deadline);
  if (!more.ok()) return more;
  for (std::size_t i = 0; i < unknown.size(); ++i) (*replies)[unknown[i]] = std::move((*more)[i]);
  return replies;
}

}  // namespace drip::cluster
