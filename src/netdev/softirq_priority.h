// SPDX-License-Identifier: BSD-3-Clause
// Keeps the kernel's network processing from starving on CPUs that poll.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace drip::netdev {

/// Gives the ksoftirqd threads of CPUs another nice, for as long as it lives.
///
/// What a polling thread sends to a kernel interface is received, queued and delayed there by
/// softirqs of the sender's CPU. The kernel handles them on the spot until there are too many at
/// once; then it wakes ksoftirqd, and all softirqs of the CPU wait for it (ksoftirqd_running() in
/// kernel/softirq.c of Linux before 6.5). At its usual nice 0 beside a thread of nice -20 that
/// never sleeps, ksoftirqd gets 1.1 % of the CPU: packets then wait for hundreds of milliseconds.
/// With the same nice it preempts the polling thread for as long as it has work.
///
/// Best effort: needs CAP_SYS_NICE, and a /proc that shows the kernel's threads. Two processes that
/// poll one CPU share one ksoftirqd: it has its former nice when the first of them ends.
class SoftirqPriority {
 public:
  /// `nice`: -20 to 19. Threads that have it already are left alone. `proc`: where procfs is.
  SoftirqPriority(const std::vector<unsigned>& cpus, int nice, const std::string& proc = "/proc");
  ~SoftirqPriority();
  SoftirqPriority(const SoftirqPriority&) = delete;
  SoftirqPriority& operator=(const SoftirqPriority&) = delete;

 private:
  struct Changed {
    pid_t thread;
    int nice_before;
  };
  std::vector<Changed> changed_;
};

}  // namespace drip::netdev
