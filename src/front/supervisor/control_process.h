// SPDX-License-Identifier: BSD-3-Clause
// The control process of a node, of which there is always one: started again when it ends or hangs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "access/tls_files.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"
#include "control/model/control_process.h"
#include "front/link/link.pb.h"
#include "front/supervisor/child.h"
#include "front/supervisor/restart_delay.h"

namespace drip::front {

class ControlProcess {
 public:
  struct Options {
    std::string program;       ///< Its path.
    Settings settings;         ///< Without TLS and the listeners.
    std::vector<int> sockets;  ///< Of settings.listeners; open as long as this object.
    std::shared_ptr<const access::TlsSource> tls;  ///< Null: none.
    /// Serves calls by the socket. Called by the thread of the supervisor.
    std::function<void(FileDescriptor)> connect;
    std::shared_ptr<control::ControlProcessCounts> counts;
  };

  /// Waits until it serves. INVALID_ARGUMENT or UNAVAILABLE with the reason if it does not. Its
  /// thread inherits the CPUs of the calling one, and the process those of the thread.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<ControlProcess>> start(Options options);
  /// Waits for the end of drain(), or else kills it.
  ~ControlProcess();
  ControlProcess(const ControlProcess&) = delete;
  ControlProcess& operator=(const ControlProcess&) = delete;

  /// The ports of settings.http as they were bound, which later processes bind again.
  [[nodiscard]] const std::vector<std::uint32_t>& http_ports() const { return http_ports_; }

  /// Starts another process, of the program as it is on disk now, and has the present one end when
  /// its calls have, after kHandOver at the latest. No call is refused meanwhile; HTTP is for a
  /// second or two.
  void replace();
  /// It accepts nothing more and ends when its calls have, after `patience` at the latest; no other
  /// is started.
  void drain(std::chrono::milliseconds patience);

  static constexpr std::chrono::milliseconds kHandOver{5'000};

 private:
  enum class Wanted : std::uint8_t { kRun, kReplace, kDrain };

  explicit ControlProcess(Options options);
  void run(std::promise<absl::Status> started);
  // A child that serves.
  [[nodiscard]] absl::StatusOr<std::unique_ptr<Child>> start_child();
  [[nodiscard]] absl::Status wait_until_ready(Child& child);
  // With the ports that were bound.
  [[nodiscard]] HttpServers http_servers() const;
  void tell_tls();
  // Takes what it says. False if the link is closed.
  [[nodiscard]] bool listen_to(Child& child) const;
  void watch();
  void start_again();
  void retire(std::chrono::milliseconds patience);
  void wait_for_retired();
  void wait_for_wish(std::chrono::milliseconds time);
  void wish(Wanted wanted, std::chrono::milliseconds patience);

  const Options options_;
  std::vector<std::uint32_t> http_ports_;
  FileDescriptor wake_;  // An eventfd that is readable when wanted_ has changed.
  Mutex mutex_;
  Wanted wanted_ ABSL_GUARDED_BY(mutex_) = Wanted::kRun;
  std::chrono::milliseconds patience_ ABSL_GUARDED_BY(mutex_){0};

  // Of the thread.
  std::unique_ptr<Child> child_;    // Null: it has ended, and there is no other yet.
  std::unique_ptr<Child> retired_;  // Drains.
  Child::Clock::time_point retired_until_;
  access::TlsMaterialRef told_;  // What the child has of TLS.
  RestartDelay delay_;
  std::thread thread_;
};

}  // namespace drip::front
