// SPDX-License-Identifier: BSD-3-Clause
// Real Redis servers and Sentinels as child processes, on free ports of loopback.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "process.h"
#include "temporary_directory.h"

namespace drip {

/// A TCP port of 127.0.0.1 that nobody listens on.
[[nodiscard]] std::uint16_t free_port();

/// A certificate for 127.0.0.1 and localhost, which is its own CA.
struct TestCertificate {
  std::string cert;
  std::string key;
};
/// By openssl(1), as `DIRECTORY/NAME.pem` and `NAME.key`.
[[nodiscard]] TestCertificate make_certificate(const TemporaryDirectory& directory,
                                               const std::string& name);

/// Keeps its port and its directory over kill() and start(). Without persistence unless asked for,
/// so what it knew is gone then. Is killed with the object. What takes too long throws.
class RedisServer {
 public:
  /// Starts it, with more words for its command line: "--requirepass", "secret". With a certificate
  /// its port speaks TLS only.
  /// With a `network_namespace` it runs inside it. `environment` is added to this process's own.
  explicit RedisServer(std::vector<std::string> more = {},
                       const TestCertificate* certificate = nullptr,
                       const std::string& network_namespace = {},
                       std::map<std::string, std::string> environment = {});

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string address() const;
  /// redis://127.0.0.1:PORT
  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::string socket_path() const { return directory_.path_of("redis.sock"); }

  /// REQUIRES: it runs.
  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  void kill();
  /// After kill(): waits until it answers.
  void start();
  void restart();
  void pause() const;   ///< SIGSTOP: its kernel still accepts connections.
  void resume() const;  ///< SIGCONT
  /// What redis-cli prints.
  std::string cli(const std::vector<std::string>& words) const;

 private:
  TemporaryDirectory directory_;
  std::uint16_t port_ = free_port();
  std::vector<std::string> words_;
  std::vector<std::string> cli_words_;
  std::map<std::string, std::string> environment_;
  std::unique_ptr<Process> process_;
};

/// Three Sentinels that watch `master` under the name "drip", with a quorum of 2; it is taken for
/// dead after 1 s.
class RedisSentinels {
 public:
  /// Starts three and waits until each answers.
  explicit RedisSentinels(const RedisServer& master);
  /// sentinel://.../drip
  [[nodiscard]] std::string url() const;
  /// Waits until all know each other and `replicas` replicas.
  void wait_until_settled(int replicas) const;
  /// From now on `master` is "drip", as an operator says who has made it the master by hand.
  void watch(const RedisServer& master) const;

 private:
  // Throws unless it succeeds.
  void tell(std::uint16_t port, const std::vector<std::string>& words) const;

  TemporaryDirectory directory_;
  std::vector<std::uint16_t> ports_;
  std::vector<std::unique_ptr<Process>> processes_;
};

}  // namespace drip
