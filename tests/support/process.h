// SPDX-License-Identifier: BSD-3-Clause
// Runs a program as a shell would and keeps what it wrote.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace drip {

struct Outcome {
  // 128 + the signal's number for a program that a signal ended.
  int exit_code = -1;
  std::string out;
  std::string err;
};

class Process {
 public:
  // The first of `words` is the program's path, or its name to be found in PATH. `environment` is
  // added to this process's own.
  explicit Process(const std::vector<std::string>& words, const std::string& input = {},
                   const std::map<std::string, std::string>& environment = {});
  // Kills it if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // What it has written so far.
  std::string out() const;
  std::string err() const;
  bool has_ended() const;
  // The name of each of its threads.
  std::vector<std::string> thread_names() const;
  // Waits until it has written `text`; false if it does not within kWaitBound.
  bool has_written(const std::string& text) const;
  [[nodiscard]] pid_t pid() const { return pid_; }
  void send_signal(int signal) const;
  Outcome wait();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;
  static std::string content(const File& file);

  File in_{std::tmpfile()};
  File out_{std::tmpfile()};
  File err_{std::tmpfile()};
  pid_t pid_ = -1;
};

}  // namespace drip
