// SPDX-License-Identifier: BSD-3-Clause
// A real dripd as a child process: started, waited for, signalled, stopped.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "process.h"
#include "temporary_directory.h"

namespace drip {

/// Is killed with the object, if it still runs. What takes longer than it ever should throws, and
/// the exception has dripd's log.
class DripdProcess {
 public:
  /// `dripd FLAGS`, as a shell would run it, with `environment` added to this process's own.
  explicit DripdProcess(const std::vector<std::string>& flags,
                        const std::map<std::string, std::string>& environment = {});

  /// Waits until it serves; returns the first of its addresses as it was bound.
  std::string serves();
  /// Waits until it has logged `text` `times` times.
  void logs(const std::string& text, int times = 1);
  [[nodiscard]] std::string log() const { return process_.err(); }
  [[nodiscard]] std::vector<std::string> thread_names() const { return process_.thread_names(); }

  [[nodiscard]] pid_t pid() const { return process_.pid(); }
  void signal(int number) const { process_.send_signal(number); }
  /// Waits for its end: exit code and what it wrote.
  Outcome wait();
  /// SIGTERM and wait().
  Outcome stop();

 private:
  [[noreturn]] void fail(const std::string& what) const;

  Process process_;
};

/// A dripd that serves on a unix socket of its own, with `more_flags`.
class ServingDripd {
 public:
  explicit ServingDripd(const std::vector<std::string>& more_flags = {},
                        const std::map<std::string, std::string>& environment = {});

  [[nodiscard]] const std::string& address() const { return address_; }
  DripdProcess* operator->() { return process_.get(); }

 private:
  TemporaryDirectory directory_;
  std::string address_;
  std::unique_ptr<DripdProcess> process_;
};

}  // namespace drip
