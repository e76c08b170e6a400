// SPDX-License-Identifier: BSD-3-Clause
// Who receives from an interface by XDP.
#pragma once

#include "netdev/kernel.h"

namespace drip::netdev {

[[nodiscard]] XdpPrograms attached_xdp_programs(int index);
[[nodiscard]] absl::Status detach_xdp_program(int index);
/// Takes all AF_XDP sockets out of the maps of the interface's programs.
[[nodiscard]] absl::Status remove_xdp_sockets(int index);
/// Whether another AF_XDP socket has queue 0. The kernel gives up that of a process that was killed
/// some milliseconds later: waits up to two seconds for it.
[[nodiscard]] bool xdp_queue_is_taken(int index);

}  // namespace drip::netdev
