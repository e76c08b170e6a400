// SPDX-License-Identifier: BSD-3-Clause
// The command `completion`, and what its scripts ask dripctl for at each Tab.
#include <fmt/format.h>

#include "cli/commands/commands.h"
#include "cli/completion_bash_script.h"
#include "cli/completion_zsh_script.h"
#include "cli/output/output.h"

namespace drip::cli {

void add_completion_command(CommandLine* line) {
  CLI::App* command =
      line->add_command("completion", "Completion of commands, flags and names in a shell");
  const auto add = [&](const char* shell, const char* script, const char* example) {
    line->add_subcommand(command, shell, std::string("The script for ") + shell, {example},
                         [script](Session&) {
                           fmt::print("{}", script);
                           return Exit::kOk;
                         });
  };
  add("bash", kBash, "completion bash > ~/.local/share/bash-completion/completions/dripctl");
  add("zsh", kZsh, "completion zsh > ~/.zfunc/_dripctl");
}

int print_completion(CommandLine* line, const std::vector<std::string>& words) {
  const Completion completion = line->complete(words);
  if (completion.files) print_line(":files");
  for (const Completion::Word& word : completion.words) print_line(word.word + "\t" + word.help);
  if (completion.names_from.empty()) return 0;
  std::vector<const char*> arguments = {"dripctl"};
  for (const std::string& argument : completion.names_from) arguments.push_back(argument.c_str());
  if (const auto done = line->parse(static_cast<int>(arguments.size()), arguments.data())) {
    return static_cast<int>(*done);
  }
  return static_cast<int>(line->run());
}

}  // namespace drip::cli
