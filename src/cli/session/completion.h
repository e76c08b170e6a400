// SPDX-License-Identifier: BSD-3-Clause
// Shell completion: what may stand at the end of a command line that is not complete, out of the
// same declarations as --help.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace drip::cli {

struct Completion {
  struct Word {
    std::string word;
    std::string help;  // Of --help, on one line; empty for values.
  };
  std::vector<Word> words;
  bool files = false;                   // Names of files as well.
  std::vector<std::string> names_from;  // Arguments of dripctl that print more words, a line each.
};

// `words` are those after the program's name; the last one is being written and may be empty. What
// does not begin like it is offered as well, the shell chooses.
Completion complete(const CLI::App& dripctl, const std::vector<std::string>& words);

}  // namespace drip::cli
