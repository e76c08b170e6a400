// SPDX-License-Identifier: BSD-3-Clause
// Makes a kernel interface fit for a port, and puts it back as it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "netdev/kernel.h"

namespace drip::netdev {

/// How a port receives from its interface.
enum class Access : std::uint8_t {
  kXdp,     ///< AF_XDP: the kernel's own stack gets nothing of what comes in.
  kPacket,  ///< AF_PACKET: a copy; the kernel goes on with the frame as if there were no port.
};

/// What was changed of one interface.
class Preparation {
 public:
  /// Turns off what joins frames or takes tags out of them, and gives the interface `queues`
  /// receive queues. FAILED_PRECONDITION, with the command that cures it and nothing changed, where
  /// the port would lose frames uncounted or pass them twice: an XDP program of another, an address
  /// or a bridge beside AF_PACKET. What may be wanted all the same is in warnings().
  static absl::StatusOr<Preparation> apply(Kernel& kernel, const Link& link, Access access,
                                           std::uint32_t queues);

  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  /// Puts back what apply() changed, the MTU and promiscuous mode, unless the interface is another
  /// one by now.
  void restore(Kernel& kernel) const;

 private:
  explicit Preparation(Link before) : before_(std::move(before)) {}
  void turn_off(Kernel& kernel, Offload offload);
  void set_queues(Kernel& kernel, std::uint32_t queues);

  Link before_;
  std::vector<Offload> turned_off_;
  std::optional<Channels> channels_;  // Before, if they were changed.
  std::vector<std::string> warnings_;
};

}  // namespace drip::netdev
