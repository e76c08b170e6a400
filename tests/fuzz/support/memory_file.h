// SPDX-License-Identifier: BSD-3-Clause
// A file of given content that is on no disk, for what reads files by name.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "fuzz/support/fuzz_target.h"

namespace drip::fuzz {

/// Not thread safe.
class MemoryFile {
 public:
  MemoryFile() : file_(memfd_create("drip-fuzz", MFD_CLOEXEC)) {
    require(file_ >= 0, "a file in memory can be made");
  }
  ~MemoryFile() { ::close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  /// Replaces all that it has.
  void write(std::string_view content) const {
    require(::ftruncate(file_, 0) == 0, "a file in memory can be emptied");
    const auto size = static_cast<ssize_t>(content.size());
    require(::pwrite(file_, content.data(), content.size(), 0) == size, "it can be written");
  }
  /// Valid in this process.
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  const int file_;
};

}  // namespace drip::fuzz
