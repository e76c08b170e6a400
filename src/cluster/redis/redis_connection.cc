// SPDX-License-Identifier: BSD-3-Clause
// hiredis formats commands and parses replies; the bytes go over a ByteStream.
#include "cluster/redis/redis_connection.h"

#include <hiredis/hiredis.h>

#include <array>
#include <cstddef>
#include <utility>

#include "base/text.h"
#include "cluster/redis/socket_stream.h"

namespace drip::cluster {
namespace {

// Of one pipeline: a configuration of 65536 buckets takes about 10 MiB.
constexpr std::size_t kMostReplyBytes = std::size_t{256} << 20;

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};

RedisReply converted(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return {std::int64_t{reply.integer}};
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
      return {std::string(reply.str, reply.len)};
    case REDIS_REPLY_ERROR:
      return {RedisReply::Error{std::string(reply.str, reply.len)}};
    case REDIS_REPLY_ARRAY: {
      RedisReply::Array array;
      array.reserve(reply.elements);
      for (std::size_t i = 0; i < reply.elements; ++i)
        array.push_back(converted(*reply.element[i]));
      return {std::move(array)};
    }
    default:
      return {RedisReply::Nil{}};
  }
}

absl::Status append(const RedisCommand& command, std::string& bytes) {
  std::vector<const char*> arguments;
  std::vector<std::size_t> lengths;
  for (const std::string& argument : command) {
    arguments.push_back(argument.data());
    lengths.push_back(argument.size());
  }
  char* formatted = nullptr;
  const int size = redisFormatCommandArgv(&formatted, static_cast<int>(arguments.size()),
                                          arguments.data(), lengths.data());
  if (size < 0) return absl::ResourceExhaustedError("a command for Redis does not fit into memory");
  bytes.append(formatted, static_cast<std::size_t>(size));
  redisFreeCommand(formatted);
  return absl::OkStatus();
}

absl::Status located(const std::string& peer, const absl::Status& status) {
  return absl::Status(status.code(), joined("Redis at ", peer, ": ", message_of(status)));
}

}  // namespace

std::string to_string(const RedisTarget& target) {
  return target.unix_path.empty() ? to_string(target.endpoint) : target.unix_path;
}

void RedisConnection::FreeReader::operator()(redisReader* reader) const { redisReaderFree(reader); }

RedisConnection::RedisConnection(std::unique_ptr<ByteStream> stream, std::string peer)
    : stream_(std::move(stream)), peer_(std::move(peer)), reader_(redisReaderCreate()) {}

absl::StatusOr<std::unique_ptr<RedisConnection>> RedisConnection::open(const RedisTarget& target,
                                                                       const RedisOptions& options,
                                                                       Deadline deadline) {
  auto stream = target.unix_path.empty() ? connect_tcp(target.endpoint, deadline)
                                         : connect_unix(target.unix_path, deadline);
  if (stream.ok() && options.url.tls) {
    stream = connect_tls(*std::move(stream), target.endpoint.host, options.tls, deadline);
  }
  if (!stream.ok()) return stream.status();
  return std::make_unique<RedisConnection>(*std::move(stream), to_string(target));
}

absl::StatusOr<RedisReply> RedisConnection::read_reply(Deadline deadline) {
  std::size_t received = 0;
  while (true) {
    void* object = nullptr;
    if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK) {
      return absl::UnavailableError(joined("not Redis's protocol: ", reader_->errstr));
    }
    if (object != nullptr) {
      const std::unique_ptr<redisReply, FreeReply> reply(static_cast<redisReply*>(object));
      return converted(*reply);
    }
    std::array<char, 16 * 1024> bytes;
    const auto count = stream_->read(bytes, deadline);
    if (!count.ok()) return count.status();
    received += *count;
    if (received > kMostReplyBytes) {
      return absl::UnavailableError(joined("a reply of more than ", kMostReplyBytes, " bytes"));
    }
    redisReaderFeed(reader_.get(), bytes.data(), *count);
  }
}

absl::Status RedisConnection::send(std::span<const RedisCommand> commands, Deadline deadline) {
  std::string bytes;
  for (const RedisCommand& command : commands) {
    if (auto status = append(command, bytes); !status.ok()) return status;
  }
  if (auto status = stream_->write(bytes, deadline); !status.ok()) return located(peer_, status);
  return absl::OkStatus();
}

absl::StatusOr<RedisReply> RedisConnection::receive(Deadline deadline) {
  auto reply = read_reply(deadline);
  if (!reply.ok()) return located(peer_, reply.status());
  return reply;
}

absl::StatusOr<std::vector<RedisReply>> RedisConnection::run(std::span<const RedisCommand> commands,
                                                             Deadline deadline) {
  if (auto status = send(commands, deadline); !status.ok()) return status;
  std::vector<RedisReply> replies;
  replies.reserve(commands.size());
  while (replies.size() < commands.size()) {
    auto reply = receive(deadline);
    if (!reply.ok()) return reply.status();
    replies.push_back(*std::move(reply));
  }
  return replies;
}

absl::StatusOr<RedisReply> RedisConnection::run_one(const RedisCommand& command,
                                                    Deadline deadline) {
  auto replies = run(std::span(&command, 1), deadline);
  if (!replies.ok()) return replies.status();
  if (auto status = status_of(replies->front()); !status.ok()) return status;
  return std::move(replies->front());
}

absl::Status RedisConnection::greet(const RedisOptions& options, Deadline deadline) {
  const RedisUrl& url = options.url;
  if (!url.password.empty()) {
    const RedisCommand auth = url.user.empty() ? RedisCommand{"AUTH", url.password}
                                               : RedisCommand{"AUTH", url.user, url.password};
    if (auto reply = run_one(auth, deadline); !reply.ok()) return located(peer_, reply.status());
  }
  // The client's name is informational: a user without the right to set it may connect.
  const RedisCommand name{"CLIENT", "SETNAME", options.client_name};
  if (auto replies = run(std::span(&name, 1), deadline); !replies.ok()) return replies.status();
  if (url.database != 0) {
    const auto reply = run_one({"SELECT", std::to_string(url.database)}, deadline);
    if (!reply.ok()) return located(peer_, reply.status());
  }
  const std::array<RedisCommand, 2> questions{{{"PING"}, {"HELLO"}}};
  const auto answers = run(questions, deadline);
  if (!answers.ok()) return answers.status();
  if (auto status = status_of(answers->front()); !status.ok()) return located(peer_, status);
  return take_hello(answers->back());
}

// Names and values by turns: "version", "7.0.15", "mode", "standalone", and others. Every user may
// ask for it, from Redis 6.0 on; where it is refused nothing is known.
absl::Status RedisConnection::take_hello(const RedisReply& hello) {
  const auto* const fields = hello.array();
  if (fields == nullptr) return absl::OkStatus();
  for (std::size_t i = 0; i + 1 < fields->size(); i += 2) {
    const std::string* const name = (*fields)[i].text();
    const std::string* const value = (*fields)[i + 1].text();
    if (name == nullptr || value == nullptr) continue;
    if (*name == "version") server_version_ = *value;
    if (*name == "mode" && *value == "cluster") {
      return absl::UnimplementedError(joined(
          "Redis at ", peer_,
          ": a Redis Cluster (cluster-enabled yes), which spreads keys over several servers; Drip "
          "needs one server, or a master by Sentinel"));
    }
  }
  return absl::OkStatus();
}

absl::Status RedisConnection::check_is_master(Deadline deadline) {
  const auto reply = run_one({"ROLE"}, deadline);
  if (!reply.ok()) return located(peer_, reply.status());
  const auto* const role = reply->array();
  const std::string* const name = role == nullptr || role->empty() ? nullptr : role->front().text();
  if (name != nullptr && *name == "master") return absl::OkStatus();
  return absl::UnavailableError(joined("Redis at ", peer_, ": its role is ",
                                       name == nullptr ? "unknown" : *name, ", not master"));
}

}  // namespace drip::cluster
