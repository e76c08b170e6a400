// SPDX-License-Identifier: BSD-3-Clause
// A line on standard error that tells that something takes long, and how far it is.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

namespace drip::cli {

// The line without a line end, of up to `width` columns: "frames [####....] 450 of 1000, 3 s". With
// `total` 0 nobody knows how much there is: "dripd works on it, 3 s".
std::string progress_text(const std::string& what, std::uint64_t done, std::uint64_t total,
                          std::chrono::seconds since, std::size_t width);

// Shown from one second after its creation on, until it is destroyed, and only if standard error is
// a terminal that can go back to the begin of a line; otherwise it does nothing. One at a time:
// inside of another one it does nothing either. Nothing else may be written to the terminal
// meanwhile.
class Progress {
 public:
  explicit Progress(std::string what, std::uint64_t total = 0);
  // Takes the line away.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Any thread.
  void set_total(std::uint64_t total) { total_ = total; }
  void set_done(std::uint64_t done) { done_ = done; }

 private:
  void run(const std::stop_token& stop);

  const std::string what_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> total_;
  std::atomic<std::uint64_t> done_ = 0;
  bool shown_ = false;   // The thread's.
  bool active_ = false;  // This is the one that is shown.
  std::jthread thread_;
};

}  // namespace drip::cli
