// SPDX-License-Identifier: BSD-3-Clause
// Settings of an interface by ioctl: those of ethtool(8), MTU and flags (netdevice(7)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "base/file_descriptor.h"
#include "netdev/kernel.h"

namespace drip::netdev {

class Ethtool {
 public:
  Ethtool();

  [[nodiscard]] std::optional<bool> offload(const std::string& name, Offload offload) const;
  [[nodiscard]] absl::Status set_offload(const std::string& name, Offload offload, bool on) const;
  [[nodiscard]] std::optional<Channels> channels(const std::string& name) const;
  [[nodiscard]] absl::Status set_channels(const std::string& name, const Channels& channels) const;
  [[nodiscard]] absl::Status set_mtu(const std::string& name, std::uint32_t mtu) const;
  [[nodiscard]] absl::Status set_promiscuous(const std::string& name, bool on) const;

 private:
  // 0, or errno.
  [[nodiscard]] int request(const std::string& name, void* command) const;

  FileDescriptor socket_;
};

}  // namespace drip::netdev
