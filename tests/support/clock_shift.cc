// SPDX-License-Identifier: BSD-3-Clause
// clock_gettime() of a process that was started with this library in LD_PRELOAD.
#include "clock_shift.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

namespace {

using ClockGettime = int (*)(clockid_t, timespec*);

const drip::ClockShift* shift_of_file() {
  const char* path = std::getenv("CLOCK_SHIFT_FILE");
  if (path == nullptr) return nullptr;
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* memory = mmap(nullptr, sizeof(drip::ClockShift), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<const drip::ClockShift*>(memory);
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto real = reinterpret_cast<ClockGettime>(dlsym(RTLD_NEXT, "clock_gettime"));
  static const drip::ClockShift* const shift = shift_of_file();
  const int result = real(clock, time);
  if (shift == nullptr || result != 0 || shift->clock != clock) return result;
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t ns = std::int64_t{time->tv_sec} * kSecond + time->tv_nsec;
  const std::int64_t age_us = (ns - shift->since_ns) / 1000;
  ns += shift->offset_ns + age_us * shift->rate_ppm / 1000;
  time->tv_sec = ns / kSecond;
  time->tv_nsec = ns % kSecond;
  return result;
}
