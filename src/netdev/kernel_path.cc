// SPDX-License-Identifier: BSD-3-Clause
#include "netdev/kernel_path.h"

#include "fmt/format.h"

namespace drip::netdev {

std::optional<KernelPath> find_kernel_path(Kernel& kernel, const Link& link) {
  if (link.master != 0) {
    const auto master = kernel.find(link.master);
    if (master.ok() && master->kind == "bridge" && master->admin_up) {
      return KernelPath{fmt::format("bridge {}", master->name),
                        fmt::format("ip link set dev {} nomaster", link.name)};
    }
  }
  if (const auto settings = kernel.forwarding(link.name); !settings.empty()) {
    return KernelPath{"forwarding", fmt::format("sysctl -w {}", fmt::join(settings, " "))};
  }
  return std::nullopt;
}

absl::Status check_kernel_path(Kernel& kernel, const Link& link, OnFailure wanted) {
  const auto path = find_kernel_path(kernel, link);
  if (wanted == OnFailure::kDrop && path) {
    return absl::FailedPreconditionError(
        fmt::format("on_failure is drop, and without dripd the kernel passes on what comes in by "
                    "{} ({}): {}",
                    link.name, path->by, path->ending));
  }
  if (wanted == OnFailure::kPass && !path) {
    return absl::FailedPreconditionError(
        fmt::format("on_failure is pass, and without dripd the kernel does not pass on what comes "
                    "in by {0}: put it, and the interface of the port's peer, into a bridge that "
                    "is up: ip link set dev {0} master BRIDGE",
                    link.name));
  }
  return absl::OkStatus();
}

}  // namespace drip::netdev
