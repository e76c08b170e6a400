// SPDX-License-Identifier: BSD-3-Clause
// dripd-control's main(): the process that has what the network reaches. dripd starts it, with a
// socket; all else comes by that.
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <string_view>

#include "base/quantity.h"
#include "daemon/log.h"
#include "front/front.h"

namespace {

// Signals for all processes of a service or a terminal are dripd's, which then ends this one.
void leave_signals_to_dripd() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

int main(int argc, char** argv) {
  const auto link = argc == 3 && std::string_view(argv[1]) == "--link"
                        ? drip::parse_integer(argv[2], 3, 1 << 20)
                        : drip::parse_integer("", 0, 0);
  if (!link) {
    std::fputs("dripd-control is started by dripd --control-process separate\n", stderr);
    return 2;
  }
  leave_signals_to_dripd();
  return drip::front::run_front(drip::FileDescriptor(static_cast<int>(*link)),
                                drip::daemon::start_log);
}
