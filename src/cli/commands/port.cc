// SPDX-License-Identifier: BSD-3-Clause
// The command `port`: list.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/output/output.h"

namespace drip::cli {
namespace {

std::string link_in_words(const v1::Port& port) {
  if (!port.link_up()) return "down";
  return port.link_bps() == 0 ? "up" : format_bit_rate(static_cast<double>(port.link_bps()));
}

Exit list(Session& session, bool names_only) {
  const v1::ListPortsResponse reply = session.connection.call(&Shaper::ListPorts, {});
  if (names_only) {
    for (const v1::Port& port : reply.ports()) print_line(port.name());
    return Exit::kOk;
  }
  if (session.json) {
    print(reply);
    return Exit::kOk;
  }
  Table table({{"PORT", Table::Align::kLeft},
               {"DEVICE", Table::Align::kLeft},
               {"LINK"},
               {"PEER", Table::Align::kLeft},
               {"NUMA"},
               {"MTU"},
               {"RX"},
               {"TX"},
               {"RX MISSED"},
               {"RX ERRORS"},
               {"NO MBUF"},
               {"TX ERRORS"},
               {"TX RETRIES"}});
  for (const v1::Port& port : reply.ports()) {
    table.add({port.name(), port.device(), link_in_words(port), or_dash(port.peer()),
               fmt::format("{}", port.numa_node()), fmt::format("{}", port.mtu()),
               fmt::format("{}", port.rx_packets()), fmt::format("{}", port.tx_packets()),
               fmt::format("{}", port.rx_missed()), fmt::format("{}", port.rx_errors()),
               fmt::format("{}", port.rx_no_mbuf()), fmt::format("{}", port.tx_errors()),
               fmt::format("{}", port.tx_retries())});
  }
  table.print();
  return Exit::kOk;
}

}  // namespace

void add_port_command(CommandLine* line) {
  CLI::App* command = line->add_command("port", "Ports: devices, links and counters");
  auto names_only = std::make_shared<bool>(false);
  CLI::App* subcommand =
      line->add_subcommand(command, "list", "All ports with the counters of their devices",
                           {"port list", "port list --json"},
                           [names_only](Session& session) { return list(session, *names_only); });
  subcommand->add_flag("--names", *names_only, "Only the names")->group("");
}

}  // namespace drip::cli
