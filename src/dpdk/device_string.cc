// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/device_string.h"

#include <linux/if_packet.h>

#include <charconv>

#include "fmt/format.h"

namespace drip::dpdk {

std::string device_name(std::string_view device) {
  return std::string(device.substr(0, device.find(',')));
}

std::optional<std::string> device_argument(std::string_view device, std::string_view key) {
  for (std::size_t comma = device.find(','); comma != std::string_view::npos;
       comma = device.find(',', comma + 1)) {
    const std::string_view argument =
        device.substr(comma + 1, device.find(',', comma + 1) - comma - 1);
    const std::size_t equals = argument.find('=');
    if (equals != std::string_view::npos && argument.substr(0, equals) == key) {
      return std::string(argument.substr(equals + 1));
    }
  }
  return std::nullopt;
}

bool is_pci(std::string_view device) {
  return !device.starts_with("net_") && device.find(':') != std::string_view::npos;
}

KernelDriver kernel_driver(std::string_view device) {
  if (device.starts_with("net_af_xdp")) return KernelDriver::kAfXdp;
  if (device.starts_with("net_af_packet") || device.starts_with("eth_af_packet")) {
    return KernelDriver::kAfPacket;
  }
  return KernelDriver::kNone;
}

bool is_interface(std::string_view device) {
  return !device.starts_with("net_") && device.find_first_of(":,") == std::string_view::npos;
}

std::string device_for_interface(std::string_view interface, unsigned number, std::size_t queues) {
  std::string device = fmt::format("net_af_xdp{},iface={}", number, interface);
  if (queues > 1) device += fmt::format(",queue_count={}", queues);
  return device;
}

std::uint32_t af_packet_slot_bytes(std::string_view device) {
  std::uint32_t slot = 2048;  // The driver's default.
  if (const auto argument = device_argument(device, "framesz")) {
    (void)std::from_chars(argument->data(), argument->data() + argument->size(), slot);
  }
  // Before the frame the kernel writes its header and an address, rounded up to 16 bytes so that
  // the frame's network header is aligned (tpacket_rcv() of net/packet/af_packet.c).
  constexpr std::uint32_t kMacBytes = 14;
  constexpr std::uint32_t kBefore = TPACKET_ALIGN(TPACKET2_HDRLEN + 16) - kMacBytes;
  return slot > kBefore ? slot - kBefore : 0;
}

}  // namespace drip::dpdk
