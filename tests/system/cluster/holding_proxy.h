// SPDX-License-Identifier: BSD-3-Clause
// A network that keeps what a node says to Redis until later: between a command and its arrival
// lies as much as the test wants.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace drip {

/// Takes TCP connections on 127.0.0.1 and passes them on to a server there. Thread safe.
class HoldingProxy {
 public:
  explicit HoldingProxy(std::uint16_t server_port);
  ~HoldingProxy();
  HoldingProxy(const HoldingProxy&) = delete;
  HoldingProxy& operator=(const HoldingProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// From the first piece on in which a client says `text`, that one included, nothing that clients
  /// say arrives; nor does it get lost, should they close the connection.
  void hold_at(const std::string& text);
  [[nodiscard]] bool holds() const { return holds_; }
  /// All that was held arrives, in order, and nothing is held any more.
  void let_go();

 private:
  struct Connection {
    int client = -1;  // -1: closed.
    int server = -1;
    std::string held;
  };
  void run();
  void from_client(Connection& connection);
  void from_server(Connection& connection);
  void accept_one();

  const std::uint16_t server_port_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::vector<Connection> connections_;  // The thread's alone.
  std::mutex mutex_;
  std::string hold_at_;
  std::atomic<bool> holds_{false};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace drip
