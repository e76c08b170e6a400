// SPDX-License-Identifier: BSD-3-Clause
// The interface to the kernel's network interfaces, so that tests can use others.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "drip/time.h"
#include "netdev/link.h"

namespace drip::netdev {

/// Offloads by which an interface gives frames that were on no wire, or without what they carried.
enum class Offload : std::uint8_t { kGro, kLro, kTso, kRxVlan };
/// Their names in ethtool(8), for `ethtool -K`.
inline constexpr std::array<std::string_view, 4> kOffloadNames = {"gro", "lro", "tso", "rxvlan"};
[[nodiscard]] constexpr std::string_view name_of(Offload offload) {
  return kOffloadNames[static_cast<std::size_t>(offload)];
}

/// Queues in use, as `ethtool -l` counts them: a driver has combined ones, or rx and tx ones.
struct Channels {
  std::uint32_t combined = 0, rx = 0, tx = 0;
  bool operator==(const Channels&) const = default;
  /// Receive queues.
  [[nodiscard]] std::uint32_t receiving() const { return combined + rx; }
};

/// XDP programs that are attached to an interface.
struct XdpPrograms {
  std::vector<std::string> names;
  /// They are libxdp's, which adds and removes them one by one.
  bool replaceable = false;
};

/// Calls may come from any thread, one at a time; wait() beside another. Names longer than the
/// kernel's 15 characters are not found.
class Kernel {
 public:
  virtual ~Kernel() = default;

  /// NOT_FOUND if there is none.
  [[nodiscard]] virtual absl::StatusOr<Link> find(const std::string& name) = 0;
  [[nodiscard]] virtual absl::StatusOr<Link> find(int index) = 0;
  /// "192.0.2.1/24", IPv4 and IPv6.
  [[nodiscard]] virtual std::vector<std::string> addresses(int index) = 0;
  /// The settings for sysctl(8) that end it, for each protocol of which the kernel forwards what
  /// comes in by the interface.
  [[nodiscard]] virtual std::vector<std::string> forwarding(const std::string& name) = 0;
  /// Bits a second; 0: unknown.
  [[nodiscard]] virtual std::uint64_t speed(const std::string& name) = 0;

  /// None if the driver has no such offload.
  [[nodiscard]] virtual std::optional<bool> offload(const std::string& name, Offload offload) = 0;
  virtual absl::Status set_offload(const std::string& name, Offload offload, bool on) = 0;
  /// None if the driver does not tell: it has one queue.
  [[nodiscard]] virtual std::optional<Channels> channels(const std::string& name) = 0;
  virtual absl::Status set_channels(const std::string& name, const Channels& channels) = 0;
  virtual absl::Status set_mtu(const std::string& name, std::uint32_t mtu) = 0;
  virtual absl::Status set_promiscuous(const std::string& name, bool on) = 0;

  [[nodiscard]] virtual XdpPrograms xdp_programs(int index) = 0;
  /// Detaches whatever is attached.
  virtual absl::Status remove_xdp_program(int index) = 0;
  /// What comes in by the interface goes to the kernel from now on, though the program and its
  /// sockets stay, which go on to send.
  virtual absl::Status remove_xdp_sockets(int index) = 0;
  /// Whether an AF_XDP socket has the interface's queue 0. May wait two seconds: the kernel gives
  /// up that of a process that was killed some time later.
  [[nodiscard]] virtual bool xdp_queue_is_taken(int index) = 0;

  /// Changes of any interface since the last call; waits up to `patience` for the first. Some may
  /// be lost while there are very many: read what matters now and then as well.
  virtual std::vector<LinkEvent> wait(Duration patience) = 0;
};

/// The kernel itself, by rtnetlink and ethtool's ioctl, in this thread's network namespace.
/// UNAVAILABLE if it lets no socket be opened.
absl::StatusOr<std::unique_ptr<Kernel>> open_kernel();

}  // namespace drip::netdev
