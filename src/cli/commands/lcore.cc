// SPDX-License-Identifier: BSD-3-Clause
// The command `lcore`: list.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "cli/commands/commands.h"
#include "cli/output/output.h"

namespace drip::cli {
namespace {

std::string busy_share(const v1::Lcore& lcore) {
  if (lcore.running_ns() == 0) return "-";
  return fmt::format("{:.1f}%", 100 * static_cast<double>(lcore.busy_ns()) /
                                    static_cast<double>(lcore.running_ns()));
}

// Of the thread's time; the clock's rate makes cycles of it.
std::string time_a_packet(const v1::Lcore& lcore) {
  const std::uint64_t packets = std::max(lcore.rx_packets(), lcore.tx_packets());
  return packets == 0 ? "-" : brief_duration(lcore.busy_ns() / packets);
}

std::string late_p99(const v1::Lcore& lcore) {
  const auto& counts = lcore.lateness().counts();
  // Not tx_packets(): requests depart as well.
  const bool any = std::any_of(counts.begin(), counts.end(), [](auto n) { return n > 0; });
  return any ? brief_duration(lcore.lateness().p99_ns()) : "-";
}

Exit list(Session& session) {
  const v1::ListLcoresResponse reply = session.connection.call(&Shaper::ListLcores, {});
  if (session.json) {
    print(reply);
    return Exit::kOk;
  }
  Table table({{"LCORE"},
               {"CPU"},
               {"NUMA"},
               {"ROLE", Table::Align::kLeft},
               {"BUCKETS"},
               {"BUSY"},
               {"A PACKET"},
               {"RX"},
               {"TX"},
               {"PASSED"},
               {"WAITING"},
               {"LATE P99"},
               {"STALLS"},
               {"LONGEST"},
               {"FORFEITED"}});
  // A table of their own, because few reasons have counts and a column for each would be too wide.
  Table drops({{"LCORE"}, {"DROPPED", Table::Align::kLeft}, {"PACKETS"}, {"BYTES"}});
  bool any_drop = false;
  for (const v1::Lcore& lcore : reply.lcores()) {
    const std::string index = fmt::format("{}", lcore.index());
    table.add({index, lcore.cpu() < 0 ? "floats" : fmt::format("{}", lcore.cpu()),
               fmt::format("{}", lcore.numa_node()), lcore.role(),
               fmt::format("{}", lcore.buckets()), busy_share(lcore), time_a_packet(lcore),
               fmt::format("{}", lcore.rx_packets()), fmt::format("{}", lcore.tx_packets()),
               fmt::format("{}", lcore.passed_packets()),
               fmt::format("{}", lcore.waiting_packets()), late_p99(lcore),
               fmt::format("{}", lcore.stalls()), brief_duration(lcore.longest_stall_ns()),
               brief_duration(lcore.forfeited_ns())});
    for (const v1::DropCount& drop : lcore.drops()) {
      if (drop.packets() == 0) continue;
      any_drop = true;
      drops.add(
          {index, drop.reason(), fmt::format("{}", drop.packets()), brief_bytes(drop.bytes())});
    }
  }
  table.print();
  if (any_drop) {
    print_line("");
    drops.print();
  }
  return Exit::kOk;
}

}  // namespace

void add_lcore_command(CommandLine* line) {
  CLI::App* command = line->add_command("lcore", "Lcores: the polling threads");
  line->add_subcommand(command, "list", "Packets, drops, lateness and stalls of each lcore",
                       {"lcore list", "lcore list --json"}, list);
}

}  // namespace drip::cli
