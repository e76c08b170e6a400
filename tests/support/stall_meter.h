// SPDX-License-Identifier: BSD-3-Clause
// How often the machine kept threads of other processes from running, by /proc.
#pragma once

#include <dirent.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace drip {

/// Where a test expects an answer within some milliseconds, a machine that others use as well may
/// keep the one who is to answer from running. The meter looks at chosen threads from its beginning
/// to its end, 200 times a second, and counts how often one of them waited for a CPU for 20 ms
/// or longer, or the hypervisor had taken the CPUs away. What then happened is no fault; a fault
/// happens without a stall.
class StallMeter {
 public:
  static constexpr double kStall = 0.020;  // s
  static constexpr double kLong = 0.050;   // One that is counted twice.

  struct Thread {
    pid_t process = 0;
    std::string name;  ///< As in /proc/PID/task/TID/comm.
  };
  explicit StallMeter(const std::vector<Thread>& threads) {
    for (const Thread& thread : threads) find(thread);
    thread_ = std::thread([this] { watch(); });
  }
  ~StallMeter() {
    stopped_ = true;
    thread_.join();
  }
  StallMeter(const StallMeter&) = delete;
  StallMeter& operator=(const StallMeter&) = delete;

  [[nodiscard]] std::size_t watched() const { return watched_.size(); }
  [[nodiscard]] std::uint64_t stalls() const { return stalls_; }
  /// How long all of them together have waited for a CPU, stalls and shorter waits.
  [[nodiscard]] std::chrono::microseconds waited() const {
    return std::chrono::microseconds(waited_us_);
  }
  /// The longest that one of them has waited at a time, in seconds.
  [[nodiscard]] double longest() const { return static_cast<double>(longest_us_) * 1e-6; }

 private:
  struct Watched {
    std::string path;  // Of its schedstat: time on a CPU, time waiting for one (ns), and turns.
    double waited = 0;
  };

  void find(const Thread& thread) {
    const std::string tasks = "/proc/" + std::to_string(thread.process) + "/task";
    DIR* const directory = opendir(tasks.c_str());
    if (directory == nullptr) return;
    while (const dirent* const entry = readdir(directory)) {
      const std::string path = tasks + "/" + entry->d_name;
      std::ifstream file(path + "/comm");
      std::string name;
      if (!std::getline(file, name) || name != thread.name) continue;
      watched_.push_back({path + "/schedstat", waited_of(path + "/schedstat")});
    }
    closedir(directory);
  }
  static double waited_of(const std::string& path) {
    std::ifstream file(path);
    double ran = 0;
    double waited = 0;
    file >> ran >> waited;
    return waited * 1e-9;
  }
  // Of all CPUs, in ticks of 10 ms.
  static double stolen() {
    std::ifstream file("/proc/stat");
    std::string name;
    double ticks = 0;
    file >> name;
    for (int field = 0; field < 8; ++field) file >> ticks;
    return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  void add(double seconds) {
    const auto us = static_cast<std::int64_t>(seconds * 1e6);
    waited_us_ += us;
    longest_us_ = std::max<std::int64_t>(longest_us_, us);  // By this thread only.
    if (seconds < kStall) return;
    // The meter itself may have been kept from looking, and seen several as one.
    stalls_ += 1 + static_cast<std::uint64_t>(seconds / kLong);
  }
  void watch() {
    double stolen_before = stolen();
    while (!stopped_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      for (Watched& watched : watched_) {
        const double waited = waited_of(watched.path);
        add(waited - watched.waited);
        watched.waited = waited;
      }
      const double now = stolen();
      add(now - stolen_before);
      stolen_before = now;
    }
  }

  std::vector<Watched> watched_;
  std::atomic<std::uint64_t> stalls_{0};
  std::atomic<std::int64_t> waited_us_{0};
  std::atomic<std::int64_t> longest_us_{0};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace drip
