// SPDX-License-Identifier: BSD-3-Clause
// The seeds of a target as files.
#pragma once

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "fuzz/support/fuzz_target.h"

namespace drip::fuzz {

/// Makes the directory, and a file in it for each seed. False, with the reason on standard error,
/// if that fails.
[[nodiscard]] inline bool write_seeds(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  std::size_t number = 0;
  for (const std::string& seed : seeds()) {
    std::ofstream file(directory / ("seed" + std::to_string(number++)), std::ios::binary);
    file.write(seed.data(), static_cast<std::streamsize>(seed.size()));
    if (file.flush()) continue;
    std::fprintf(stderr, "cannot write to %s\n", directory.c_str());
    return false;
  }
  return true;
}

}  // namespace drip::fuzz
