// SPDX-License-Identifier: BSD-3-Clause
// DPDK's device strings: "0000:03:00.0", "net_af_xdp0,iface=eth1,queue_count=2".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace drip::dpdk {

/// "net_af_xdp0": what DPDK calls the device.
[[nodiscard]] std::string device_name(std::string_view device);
/// The value of an argument; none if it is not given.
[[nodiscard]] std::optional<std::string> device_argument(std::string_view device,
                                                         std::string_view key);
/// A PCI address, not a virtual device.
[[nodiscard]] bool is_pci(std::string_view device);

enum class KernelDriver : std::uint8_t { kNone, kAfXdp, kAfPacket };
/// The driver, if it is one that works over an interface of the kernel.
[[nodiscard]] KernelDriver kernel_driver(std::string_view device);

/// The name of a kernel interface alone, which is no device string.
[[nodiscard]] bool is_interface(std::string_view device);
/// The device string for it: AF_XDP, as virtual device `number`, with `queues` queues.
[[nodiscard]] std::string device_for_interface(std::string_view interface, unsigned number,
                                               std::size_t queues);

/// From this length on a received frame may have been cut by net_af_packet: the room for it in a
/// slot of the kernel's ring.
[[nodiscard]] std::uint32_t af_packet_slot_bytes(std::string_view device);

}  // namespace drip::dpdk
