// SPDX-License-Identifier: BSD-3-Clause
// Pins, names and prioritises polling threads.
#include "datapath/poll_engine/thread_setup.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "base/thread.h"
#include "fmt/format.h"

namespace drip::datapath {
namespace {

constexpr unsigned long kTimerSlackNs = 1000;

// With throttling, the kernel stops a SCHED_FIFO thread that never sleeps for 50 ms of each second
// (sched(7), sched_rt_runtime_us).
bool realtime_is_throttled() {
  std::ifstream file("/proc/sys/kernel/sched_rt_runtime_us");
  long runtime_us = 0;
  return !(file >> runtime_us) || runtime_us >= 0;
}

}  // namespace

std::vector<std::string> set_up_thread(const LcorePlan& plan, const std::string& name) {
  std::vector<std::string> warnings;
  name_this_thread(name);
  if (plan.cpu >= 0) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<unsigned>(plan.cpu), &cpus);
    const int error = pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus);
    if (error != 0) {
      warnings.push_back(
          fmt::format("{}: cannot be pinned to CPU {}: {}", name, plan.cpu, std::strerror(error)));
    }
  }
  // The default slack would delay a wake-up by up to 50 us.
  if (plan.sleeps_when_idle) (void)prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  // Keeps other threads from taking much of the CPU of a pinned polling thread. Best effort: it
  // needs a privilege, and the thread runs without it as well.
  if (plan.has_its_cpu()) {
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), LcorePlan::kNice);
  }
  if (plan.realtime_priority > 0) {
    if (realtime_is_throttled()) {
      warnings.push_back(fmt::format(
          "{}: real-time priority was left off: kernel.sched_rt_runtime_us is not -1, which would "
          "stop the thread for 50 ms of each second",
          name));
    } else {
      const sched_param parameters{plan.realtime_priority};
      const int error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
      if (error != 0) {
        warnings.push_back(fmt::format("{}: no real-time priority {}: {}", name,
                                       plan.realtime_priority, std::strerror(error)));
      }
    }
  }
  return warnings;
}

}  // namespace drip::datapath
