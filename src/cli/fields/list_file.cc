// SPDX-License-Identifier: BSD-3-Clause
#include "cli/fields/list_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "cli/session/flags.h"

namespace drip::cli {

std::vector<std::string> read_list_file(const std::string& path) {
  std::ifstream file;
  if (path != "-") {
    file.open(path);
    if (!file) throw UsageError(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  std::istream& input = path == "-" ? std::cin : file;
  std::vector<std::string> prefixes;
  for (std::string line; std::getline(input, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    for (std::string word; words >> word;) prefixes.push_back(word);
  }
  return prefixes;
}

}  // namespace drip::cli
