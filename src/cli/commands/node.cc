// SPDX-License-Identifier: BSD-3-Clause
// The command `node`: show, also without a subcommand.
#include <fmt/format.h>

#include <string>

#include "cli/commands/commands.h"
#include "cli/output/output.h"

namespace drip::cli {
namespace {

Exit show(Session& session) {
  const v1::GetNodeResponse node = session.connection.call(&Shaper::GetNode, {});
  if (session.json) {
    print(node);
    return Exit::kOk;
  }
  const v1::Memory& memory = node.memory();
  const v1::Clock& clock = node.clock();
  Properties properties;
  properties.add("node", node.node_id());
  properties.add("version", node.version());
  properties.add("DPDK", or_dash(node.dpdk_version()));
  properties.add("started", format_time(node.start_time()));
  properties.add("buckets", fmt::format("{}", node.buckets()));
  properties.add("rules", fmt::format("{}", node.rules()));
  properties.add("flows", fmt::format("{}", node.flows()));
  properties.add("memory", fmt::format("{} reserved of {}", brief_bytes(memory.promised_bytes()),
                                       brief_bytes(memory.budget_bytes())));
  // A node without ports has no packets, so what is reserved for its buckets is never used.
  properties.add("mbufs", memory.mbufs() == 0
                              ? "none: no ports"
                              : fmt::format("{} reserved of {}, {} free", memory.mbufs_promised(),
                                            memory.mbufs(), memory.mbufs_free()));
  properties.add("hugepages", yes_or_no(memory.hugepages()));
  properties.add("clock", clock.invariant_tsc()
                              ? fmt::format("invariant TSC at {:.3f} MHz", clock.tsc_hz() / 1e6)
                              : "CLOCK_MONOTONIC_RAW: the CPU has no invariant TSC");
  properties.add("clock drift",
                 fmt::format("{:.3f} ppm, now {} ns off", clock.drift_ppm(), clock.offset_ns()));
  if (clock.jumps() + clock.rate_changes() > 0) {
    properties.add("clock partings",
                   fmt::format("{} jumps, {} changes of rate, last at {}", clock.jumps(),
                               clock.rate_changes(), format_time(clock.last_parting_time())));
  }
  if (node.remembered_ids() + node.remembered_ids_forgotten() > 0) {
    properties.add("remembered",
                   fmt::format("{} ids, {} forgotten too early", node.remembered_ids(),
                               node.remembered_ids_forgotten()));
  }
  if (node.has_control_process()) {
    const v1::ControlProcess& process = node.control_process();
    properties.add(
        "control process",
        fmt::format("{}, {} restarts ({} of them after it hung), {} replacements", process.pid(),
                    process.restarts(), process.hangs(), process.replacements()));
  }
  for (const std::string& warning : node.warnings()) properties.add("warning", warning);
  properties.print();
  return Exit::kOk;
}

}  // namespace

void add_node_command(CommandLine* line) {
  CLI::App* command = line->add_command("node", "The node that answers");
  line->add_subcommand(command, "show", "Versions, memory, clock, and warnings",
                       {"node show", "node show --json"}, show);
  line->set_default_subcommand(command, show);
}

}  // namespace drip::cli
