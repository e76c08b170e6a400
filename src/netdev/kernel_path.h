// SPDX-License-Identifier: BSD-3-Clause
// What the kernel does with the frames of a port while no dripd takes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "netdev/kernel.h"

namespace drip::netdev {

/// What is wanted for frames that come in by a port when dripd has failed, or ended.
enum class OnFailure : std::uint8_t {
  kUnset,  ///< Whatever the kernel does; a warning if it passes them on.
  kPass,   ///< The kernel passes them on, unshaped: fail open.
  kDrop,   ///< Nobody passes them on: fail closed.
};

/// How the kernel would pass on what comes in by an interface.
struct KernelPath {
  std::string by;      ///< "bridge br0", or "forwarding".
  std::string ending;  ///< The command that ends it.
};
/// None if it would not. A bridge that is down passes nothing.
[[nodiscard]] std::optional<KernelPath> find_kernel_path(Kernel& kernel, const Link& link);

/// Whether the kernel does what is `wanted` with an interface of which AF_XDP takes the frames as
/// long as dripd runs. FAILED_PRECONDITION, with the command that cures it, if it does not.
[[nodiscard]] absl::Status check_kernel_path(Kernel& kernel, const Link& link, OnFailure wanted);

}  // namespace drip::netdev
