// SPDX-License-Identifier: BSD-3-Clause
// dripctl's commands; each is defined in the file of its name.
#pragma once

#include <string>
#include <vector>

#include "cli/session/command_line.h"

namespace drip::cli {

void add_bucket_command(CommandLine* line);
void add_top_command(CommandLine* line);
void add_tree_command(CommandLine* line);
void add_explain_command(CommandLine* line);
void add_capture_command(CommandLine* line);
void add_request_command(CommandLine* line);
void add_rule_command(CommandLine* line);
void add_list_command(CommandLine* line);
void add_port_command(CommandLine* line);
void add_lcore_command(CommandLine* line);
void add_cluster_command(CommandLine* line);
void add_node_command(CommandLine* line);
void add_history_command(CommandLine* line);
void add_doctor_command(CommandLine* line);
void add_token_command(CommandLine* line);
void add_context_command(CommandLine* line);
void add_completion_command(CommandLine* line);

// `bucket watch` and `bucket traffic`, in files of their own.
void add_bucket_watch(CommandLine* line, CLI::App* bucket);
void add_bucket_traffic(CommandLine* line, CLI::App* bucket);

// What the scripts of `completion` ask for, as `dripctl __complete WORD...`: the words that may be
// the last one, each on a line with a tab and its help; `:files` is a line of its own if names of
// files may be, too. Returns the exit code.
int print_completion(CommandLine* line, const std::vector<std::string>& words);

}  // namespace drip::cli
