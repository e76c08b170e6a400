// SPDX-License-Identifier: BSD-3-Clause
// dripctl's main(): adds all commands, runs one subcommand, and returns its exit code.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/output/output.h"

int main(int argc, char** argv) {
  using drip::cli::Exit;
  // dripctl reports errors itself; gRPC would log them to stderr as well.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);

  drip::cli::CommandLine line;
  add_bucket_command(&line);
  add_top_command(&line);
  add_tree_command(&line);
  add_request_command(&line);
  add_rule_command(&line);
  add_explain_command(&line);
  add_capture_command(&line);
  add_list_command(&line);
  add_port_command(&line);
  add_lcore_command(&line);
  add_cluster_command(&line);
  add_node_command(&line);
  add_history_command(&line);
  add_doctor_command(&line);
  add_token_command(&line);
  add_context_command(&line);
  add_completion_command(&line);

  if (argc > 1 && std::strcmp(argv[1], "__complete") == 0) {
    return print_completion(&line, {argv + 2, argv + argc});
  }
  // For tests.
  if (argc > 1 && std::strcmp(argv[1], "__words") == 0) {
    for (const std::string& word : line.words_after({argv + 2, argv + argc})) {
      drip::cli::print_line(word);
    }
    return 0;
  }

  Exit exit = Exit::kOk;
  if (const auto done = line.parse(argc, argv)) {
    exit = *done;
  } else {
    exit = line.run();
  }
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    fmt::print(stderr, "dripctl: DATA_LOSS: cannot write to standard output\n");
    return static_cast<int>(Exit::kApiError);
  }
  return static_cast<int>(exit);
}
