// SPDX-License-Identifier: BSD-3-Clause
// Every noun of dripctl; each is defined in the file that has its name.
#pragma once

#include "cli/session/command_line.h"

namespace drip::cli {

void add_bucket_noun(CommandLine* line);
void add_request_noun(CommandLine* line);
void add_rule_noun(CommandLine* line);
void add_port_noun(CommandLine* line);
void add_lcore_noun(CommandLine* line);
void add_cluster_noun(CommandLine* line);
void add_node_noun(CommandLine* line);

// `bucket watch`, in a file of its own.
void add_bucket_watch(CommandLine* line, CLI::App* bucket);

}  // namespace drip::cli
