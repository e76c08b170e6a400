// SPDX-License-Identifier: BSD-3-Clause
// The command `port`: list.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/output/output.h"

namespace drip::cli {
namespace {

std::string link_in_words(const v1::Port& port) {
  if (!port.link_up()) return port.link_state() == "gone" ? "gone" : "down";
  return port.link_bps() == 0 ? "up" : format_bit_rate(static_cast<double>(port.link_bps()));
}

// "-" for a counter that nobody keeps.
std::string counter(const v1::Port& port, std::string_view name, std::uint64_t value) {
  const auto& unknown = port.unknown_counters();
  if (std::find(unknown.begin(), unknown.end(), name) != unknown.end()) return "-";
  return fmt::format("{}", value);
}

// What stands beside the ports, such as a kernel that forwards the same frames: of the node's
// warnings, those that begin with the name of a port.
void print_warnings(Session& session, const v1::ListPortsResponse& ports) {
  const v1::GetNodeResponse node = session.connection.call(&Shaper::GetNode, {});
  for (const v1::Port& port : ports.ports()) {
    const std::string begin = fmt::format("port {}: ", port.name());
    for (const std::string& warning : node.warnings()) {
      if (warning.starts_with(begin)) print_line("warning: " + warning);
    }
  }
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
               counter(port, "rx_packets", port.rx_packets()),
               counter(port, "tx_packets", port.tx_packets()),
               counter(port, "rx_missed", port.rx_missed()),
               counter(port, "rx_errors", port.rx_errors()),
               counter(port, "rx_no_mbuf", port.rx_no_mbuf()),
               counter(port, "tx_errors", port.tx_errors()), fmt::format("{}", port.tx_retries())});
  }
  table.print();
  print_warnings(session, reply);
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
