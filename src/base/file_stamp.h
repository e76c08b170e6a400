// SPDX-License-Identifier: BSD-3-Clause
// Tells whether a file has changed, without reading it.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

namespace drip {

/// What stat(2) says of a file; all zero if there is none. Two that differ: the file was replaced
/// or written to.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;
  std::uint32_t mode = 0;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

[[nodiscard]] inline FileStamp stamp_of(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return {};
  return {file.st_dev, file.st_ino, file.st_size,
          std::int64_t{file.st_mtim.tv_sec} * 1'000'000'000 + file.st_mtim.tv_nsec, file.st_mode};
}

}  // namespace drip
