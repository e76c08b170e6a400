// SPDX-License-Identifier: BSD-3-Clause
// One connection to one Redis server: commands out, replies in, in order.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/redis/byte_stream.h"
#include "cluster/redis/redis_reply.h"
#include "cluster/redis/redis_url.h"
#include "cluster/redis/tls_stream.h"

struct redisReader;

namespace drip::cluster {

struct RedisOptions {
  RedisUrl url;
  /// Read before each connection, so that a password can be changed while the node runs; the URL's
  /// is used where there is none, or while it cannot be read.
  std::string password_file;
  TlsFiles tls;  ///< For rediss:// and sentinels://.
  /// Seen in CLIENT LIST; no spaces.
  std::string client_name = "drip";
  /// For a connection with all that belongs to it, Sentinel's answer included.
  std::chrono::milliseconds connect_timeout{1000};
  /// For a command, or for a pipeline as a whole.
  std::chrono::milliseconds command_timeout{500};
  /// Pause before connecting again: doubles from the one to the other, drawn from its upper half.
  std::chrono::milliseconds least_backoff{50};
  std::chrono::milliseconds most_backoff{1000};
  /// How often a server is asked whether it is a master still.
  std::chrono::milliseconds role_period{1000};
};

/// Where one server listens.
struct RedisTarget {
  RedisEndpoint endpoint;
  std::string unix_path;  ///< Instead of the endpoint, if not empty.
};
[[nodiscard]] std::string to_string(const RedisTarget& target);

/// Not thread safe. Unusable after a call that failed on the way (not one that Redis answered with
/// an error), since it is then unknown which reply comes next.
class RedisConnection {
 public:
  /// Connects, with TLS if the URL says so. Sends no command yet.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<RedisConnection>> open(
      const RedisTarget& target, const RedisOptions& options, Deadline deadline);
  /// Over a stream that is open. `peer`: for errors.
  RedisConnection(std::unique_ptr<ByteStream> stream, std::string peer);

  /// One reply for each command, in order; a reply may be an error. Sent in one piece. UNAVAILABLE
  /// or DEADLINE_EXCEEDED: the commands may or may not have been executed.
  [[nodiscard]] absl::StatusOr<std::vector<RedisReply>> run(std::span<const RedisCommand> commands,
                                                            Deadline deadline);
  // The two halves of run(), for a caller with other work in between.
  [[nodiscard]] absl::Status send(std::span<const RedisCommand> commands, Deadline deadline);
  /// The next reply. After DEADLINE_EXCEEDED, and only then, it may be asked for again.
  [[nodiscard]] absl::StatusOr<RedisReply> receive(Deadline deadline);
  /// One command, with an error of Redis's as status_of() has it.
  [[nodiscard]] absl::StatusOr<RedisReply> run_one(const RedisCommand& command, Deadline deadline);

  /// AUTH, CLIENT SETNAME, SELECT, as the URL asks; then PING, which detects a server that is
  /// stopped while its kernel still accepts, and HELLO. UNAUTHENTICATED, or Redis's error;
  /// UNIMPLEMENTED for a Redis Cluster, and for a server that lacks what Drip's scripts use.
  [[nodiscard]] absl::Status greet(const RedisOptions& options, Deadline deadline);
  /// UNAVAILABLE unless ROLE says that it is a master; Redis's error if the user may not ask.
  [[nodiscard]] absl::Status check_is_master(Deadline deadline);

  [[nodiscard]] const std::string& peer() const { return peer_; }
  /// "7.0.15", by HELLO; empty where that is refused.
  [[nodiscard]] const std::string& server_version() const { return server_version_; }

 private:
  struct FreeReader {
    void operator()(redisReader* reader) const;
  };

  [[nodiscard]] absl::StatusOr<RedisReply> read_reply(Deadline deadline);
  [[nodiscard]] absl::Status take_hello(const RedisReply& hello);

  const std::unique_ptr<ByteStream> stream_;
  const std::string peer_;
  std::string server_version_;
  const std::unique_ptr<redisReader, FreeReader> reader_;
};

}  // namespace drip::cluster
