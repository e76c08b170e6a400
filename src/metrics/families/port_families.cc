// SPDX-License-Identifier: BSD-3-Clause
// Families of the ports. A counter that neither driver nor kernel keeps has no series.
#include <algorithm>
#include <array>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

constexpr FamilySpec kInfo{"drip_port_info", kGauge, "", "port, device, driver, peer, numa_node",
                           "Which device a port is, and where its packets leave; always 1."};
constexpr FamilySpec kUp{"drip_port_up", kGauge, "boolean", "port", "Whether the link is up."};
constexpr FamilySpec kGone{"drip_port_gone", kGauge, "boolean", "port",
                           "Whether the device or interface does not exist any more."};
constexpr FamilySpec kSpeed{"drip_port_speed_bytes_per_second", kGauge, "bytes per second", "port",
                            "Speed of the link; absent if the device does not tell."};
constexpr FamilySpec kMtu{"drip_port_mtu_bytes", kGauge, "bytes", "port", "MTU of the port."};

struct PortCounter {
  FamilySpec spec;
  const char* api_name;  // As PortStats::unknown_counters has it.
  std::uint64_t PortStats::*value;
};
constexpr std::array kCounters = {
    PortCounter{
        {"drip_port_received_packets_total", kCounter, "packets", "port", "Packets received."},
        "rx_packets",
        &PortStats::rx_packets},
    PortCounter{{"drip_port_received_bytes_total", kCounter, "bytes", "port", "Bytes received."},
                "rx_bytes",
                &PortStats::rx_bytes},
    PortCounter{{"drip_port_sent_packets_total", kCounter, "packets", "port", "Packets sent."},
                "tx_packets",
                &PortStats::tx_packets},
    PortCounter{{"drip_port_sent_bytes_total", kCounter, "bytes", "port", "Bytes sent."},
                "tx_bytes",
                &PortStats::tx_bytes},
    PortCounter{{"drip_port_missed_packets_total", kCounter, "packets", "port",
                 "Packets lost before Drip saw them: the device had no free receive descriptor."},
                "rx_missed",
                &PortStats::rx_missed},
    PortCounter{{"drip_port_receive_errors_total", kCounter, "packets", "port",
                 "Packets that the device received with an error."},
                "rx_errors",
                &PortStats::rx_errors},
    PortCounter{{"drip_port_send_errors_total", kCounter, "packets", "port",
                 "Packets that the device failed to send."},
                "tx_errors",
                &PortStats::tx_errors},
    PortCounter{{"drip_port_no_buffer_packets_total", kCounter, "packets", "port",
                 "Packets lost because no packet buffer was free."},
                "rx_no_mbuf",
                &PortStats::rx_no_mbuf},
    PortCounter{{"drip_port_send_retries_total", kCounter, "bursts", "port",
                 "Bursts that the port did not take whole."},
                "tx_retries",
                &PortStats::tx_retries},
    PortCounter{{"drip_port_link_changes_total", kCounter, "changes", "port",
                 "How often the link went up or down."},
                "link_changes",
                &PortStats::link_changes},
};

}  // namespace

void add_ports(std::span<const PortStats> ports, Families& families) {
  MetricFamily& info = families.begin(kInfo);
  MetricFamily& up = families.begin(kUp);
  MetricFamily& gone = families.begin(kGone);
  MetricFamily& speed = families.begin(kSpeed);
  MetricFamily& mtu = families.begin(kMtu);
  for (const PortStats& port : ports) {
    add(info,
        {{"port", port.name},
         {"device", port.device},
         {"driver", port.driver},
         {"peer", port.peer},
         {"numa_node", std::to_string(port.numa_node)}},
        1);
    add(up, {{"port", port.name}}, port.link_up ? 1 : 0);
    add(gone, {{"port", port.name}}, port.gone ? 1 : 0);
    if (port.link_bps > 0) add(speed, {{"port", port.name}}, number(port.link_bps) / 8);
    add(mtu, {{"port", port.name}}, number(port.mtu));
  }
  for (const PortCounter& counter : kCounters) {
    MetricFamily& family = families.begin(counter.spec);
    for (const PortStats& port : ports) {
      if (std::ranges::find(port.unknown_counters, counter.api_name) !=
          port.unknown_counters.end()) {
        continue;
      }
      add(family, {{"port", port.name}}, number(port.*counter.value));
    }
  }
}

std::span<const FamilySpec* const> port_specs() {
  static const auto all = [] {
    std::vector<const FamilySpec*> specs = {&kInfo, &kUp, &kGone, &kSpeed, &kMtu};
    for (const PortCounter& counter : kCounters) specs.push_back(&counter.spec);
    return specs;
  }();
  return all;
}

}  // namespace drip::metrics
