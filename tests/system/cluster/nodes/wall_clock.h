// SPDX-License-Identifier: BSD-3-Clause
// A wall clock for some processes of a test, which can be set.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "support/temporary_directory.h"

namespace drip {

/// The wall clock of the processes that run in its environment; that of all others stays as it is.
/// REQUIRES: $DRIP_SET_CLOCK names the library (tests/support/set_clock.cc).
class WallClock {
 public:
  explicit WallClock(std::int64_t off_by_s = 0) { set(off_by_s); }
  [[nodiscard]] std::map<std::string, std::string> environment() const {
    return {{"LD_PRELOAD", std::getenv("DRIP_SET_CLOCK")}, {"DRIP_CLOCK_OFFSET", file_}};
  }
  void set(std::int64_t off_by_s) const {
    std::ofstream(file_ + ".new") << off_by_s;
    std::filesystem::rename(file_ + ".new", file_);  // Whoever reads it finds one or the other.
  }

 private:
  TemporaryDirectory directory_;
  const std::string file_ = directory_.path_of("offset");
};

}  // namespace drip
