// SPDX-License-Identifier: BSD-3-Clause
// For LD_PRELOAD: adds the whole seconds that stand in the file $DRIP_CLOCK_OFFSET to the wall
// clock of one process, so that a test can set a server's clock and no other.
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace {

long offset() {
  const char* const name = std::getenv("DRIP_CLOCK_OFFSET");
  const int file = name == nullptr ? -1 : open(name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  std::array<char, 32> text{};
  const ssize_t count = read(file, text.data(), text.size() - 1);
  close(file);
  return count > 0 ? std::atol(text.data()) : 0;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t id, timespec* now) noexcept {
  const int result = static_cast<int>(syscall(SYS_clock_gettime, id, now));
  if (result == 0 && id == CLOCK_REALTIME) now->tv_sec += offset();
  return result;
}

int gettimeofday(timeval* now, void* /*zone*/) noexcept {
  timespec exact{};
  const int result = clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return result;
}

time_t time(time_t* now) noexcept {
  timespec exact{};
  clock_gettime(CLOCK_REALTIME, &exact);
  if (now != nullptr) *now = exact.tv_sec;
  return exact.tv_sec;
}

}  // extern "C"
