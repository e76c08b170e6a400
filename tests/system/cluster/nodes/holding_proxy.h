// SPDX-License-Identifier: BSD-3-Clause
// A TCP proxy that delays what a node sends to Redis for as long as a test wants, or loses an
// answer.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file_descriptor.h"

namespace drip {

/// Takes TCP connections on 127.0.0.1 and passes them on to a server there. Thread safe.
class HoldingProxy {
 public:
  explicit HoldingProxy(std::uint16_t server_port);
  ~HoldingProxy();
  HoldingProxy(const HoldingProxy&) = delete;
  HoldingProxy& operator=(const HoldingProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Holds all that clients send from the first segment with `text` on, that one included. It is
  /// not lost when they close the connection.
  void hold_at(const std::string& text);
  [[nodiscard]] bool holds() const { return holds_; }
  /// Passes on all that was held, in order, and holds nothing any more.
  void release_held();
  /// Closes the connection on which the next segment with `text` comes when the server has answered
  /// to it: the client does not get the answer. Once.
  void break_after(const std::string& text);
  /// Whether that has happened, as often as it was asked for.
  [[nodiscard]] bool has_broken() const { return !breaks_; }

 private:
  struct Connection {
    FileDescriptor client;  // Empty once closed.
    FileDescriptor server;
    std::string held;
    bool breaks = false;  // At the server's next answer.
  };
  void run();
  void from_client(Connection& connection);
  void from_server(Connection& connection);
  void accept_one();

  const std::uint16_t server_port_;
  const FileDescriptor listener_;
  std::uint16_t port_ = 0;
  std::vector<Connection> connections_;  // Used by the thread only.
  std::mutex mutex_;
  std::string hold_at_;
  std::string break_after_;
  std::atomic<bool> holds_{false};
  std::atomic<bool> breaks_{false};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace drip
