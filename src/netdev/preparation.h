// SPDX-License-Identifier: BSD-3-Clause
// Makes a kernel interface fit for a port, and puts it back as it was.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "netdev/kernel.h"
#include "netdev/kernel_path.h"

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
  /// the port would lose frames uncounted or pass them twice: an XDP program of another; an
  /// address, a bridge or forwarding beside AF_PACKET; and where the kernel does not do what
  /// `on_failure` says. What may be wanted all the same is in warnings().
  static absl::StatusOr<Preparation> apply(Kernel& kernel, const Link& link, Access access,
                                           std::uint32_t queues,
                                           OnFailure on_failure = OnFailure::kUnset);

  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  /// Sets again what somebody has changed since; `link`: the interface as it is now. A sentence
  /// for each such change, and of what cannot be put right one when it begins.
  std::vector<std::string> keep(Kernel& kernel, const Link& link);
  /// Those of them that still stand: what could not be put right when keep() looked last.
  [[nodiscard]] std::vector<std::string> standing() const;
  /// Puts back what apply() changed, the MTU and promiscuous mode, unless the interface is another
  /// one by now.
  void restore(Kernel& kernel) const;

 private:
  Preparation(Link before, Access access, std::uint32_t queues, OnFailure on_failure)
      : before_(std::move(before)), access_(access), queues_(queues), on_failure_(on_failure) {}
  // Both add to `lines` what they cannot set, and if this is not the `start` what they have set.
  void set_offloads(Kernel& kernel, const std::string& name, bool start,
                    std::vector<std::string>& lines);
  void set_queues(Kernel& kernel, const std::string& name, bool start,
                  std::vector<std::string>& lines);
  /// `text` stands from now on for `subject`, and is added to `lines` unless it did before. Empty:
  /// nothing stands any more.
  void complain(std::string_view subject, std::string text, std::vector<std::string>& lines);

  Link before_;
  Access access_;
  std::uint32_t queues_;
  OnFailure on_failure_;
  std::vector<Offload> turned_off_;
  std::optional<Channels> channels_;  // Before, if they were changed.
  std::vector<std::string> warnings_;
  std::map<std::string, std::string, std::less<>> complaints_;
};

}  // namespace drip::netdev
