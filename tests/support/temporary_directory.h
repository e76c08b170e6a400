// SPDX-License-Identifier: BSD-3-Clause
// A directory of the test's own, removed with all that is in it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace drip {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "drip.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }
  /// Writes it, over what it held before; returns its path.
  std::string write(const std::string& name, const std::string& content) const {
    std::ofstream(path_of(name), std::ios::trunc) << content;
    return path_of(name);
  }

 private:
  std::string path_;
};

}  // namespace drip
