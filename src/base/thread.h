// SPDX-License-Identifier: BSD-3-Clause
// Threads with a name.
#pragma once

#include <pthread.h>

#include <string>
#include <thread>
#include <utility>

namespace drip {

/// The name of the calling thread in top, gdb and perf: the first 15 characters
/// (pthread_setname_np(3)).
inline void name_this_thread(const std::string& name) {
  (void)pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

/// A thread that has its name before `body()` begins.
template <class Body>
[[nodiscard]] std::thread start_thread(const char* name, Body body) {
  return std::thread([name, body = std::move(body)]() mutable {
    name_this_thread(name);
    body();
  });
}

}  // namespace drip
