// SPDX-License-Identifier: BSD-3-Clause
#include "netdev/preparation.h"

#include <algorithm>

#include "fmt/format.h"

namespace drip::netdev {
namespace {

// The program that libxdp attaches for AF_XDP sockets.
constexpr std::string_view kSocketProgram = "xsk_def_prog";

bool is_link_local(const std::string& address) { return address.starts_with("fe80:"); }

absl::Status check_programs(Kernel& kernel, const Link& link) {
  if (link.xdp_program == 0) return absl::OkStatus();
  const XdpPrograms programs = kernel.xdp_programs(link.index);
  // One that a killed dripd left behind: libxdp adds to its own dispatcher, but replaces no program
  // that was attached without one, as it does where there is no bpffs.
  if (!programs.names.empty() &&
      std::all_of(programs.names.begin(), programs.names.end(),
                  [](const auto& name) { return name == kSocketProgram; })) {
    if (!kernel.xdp_queue_is_taken(link.index)) {
      return programs.replaceable ? absl::OkStatus() : kernel.remove_xdp_program(link.index);
    }
    return absl::FailedPreconditionError(
        fmt::format("another program receives from {} by AF_XDP; stop it first", link.name));
  }
  return absl::FailedPreconditionError(
      fmt::format("an XDP program of another ({}) is attached to {}, and Drip does not remove it: "
                  "ip link set dev {} xdp off",
                  fmt::join(programs.names, ", "), link.name, link.name));
}

absl::Status check_beside_the_kernel(const Link& link, const std::vector<std::string>& addresses) {
  for (const std::string& address : addresses) {
    if (is_link_local(address)) continue;
    return absl::FailedPreconditionError(fmt::format(
        "{} has the address {}: beside af_packet the kernel answers and forwards what Drip shapes; "
        "use af_xdp (--port NAME={}), or: ip address flush dev {}",
        link.name, address, link.name, link.name));
  }
  if (link.master != 0) {
    return absl::FailedPreconditionError(
        fmt::format("{} belongs to a bridge or bond, which beside af_packet passes on what Drip "
                    "shapes; use af_xdp (--port NAME={}), or: ip link set dev {} nomaster",
                    link.name, link.name, link.name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Preparation> Preparation::apply(Kernel& kernel, const Link& link, Access access,
                                               std::uint32_t queues) {
  const std::vector<std::string> addresses = kernel.addresses(link.index);
  const absl::Status status = access == Access::kXdp ? check_programs(kernel, link)
                                                     : check_beside_the_kernel(link, addresses);
  if (!status.ok()) return status;

  Preparation preparation(link);
  std::vector<std::string>& warnings = preparation.warnings_;
  if (!link.admin_up) {
    warnings.push_back(fmt::format("{0} is down: ip link set dev {0} up", link.name));
  }
  for (const std::string& address : addresses) {
    if (access == Access::kXdp && !is_link_local(address)) {
      warnings.push_back(
          fmt::format("{0} has the address {1}, and the kernel receives nothing for it while dripd "
                      "runs: ip address del {1} dev {0}",
                      link.name, address));
    }
  }
  if (access == Access::kPacket && kernel.forwards(link.name)) {
    warnings.push_back(
        fmt::format("the kernel forwards what comes in by {0}, unshaped: sysctl -w "
                    "net.ipv4.conf.{0}.forwarding=0 net.ipv6.conf.{0}.forwarding=0",
                    link.name));
  }
  for (const Offload offload : {Offload::kGro, Offload::kLro, Offload::kTso}) {
    preparation.turn_off(kernel, offload);
  }
  if (access == Access::kXdp) {
    // A NIC takes the tag out of the frame; virtual interfaces give AF_XDP the whole frame.
    if (link.kind.empty()) preparation.turn_off(kernel, Offload::kRxVlan);
    preparation.set_queues(kernel, queues);
  }
  return preparation;
}

void Preparation::turn_off(Kernel& kernel, Offload offload) {
  const std::string& name = before_.name;
  if (!kernel.offload(name, offload).value_or(false)) return;
  if (kernel.set_offload(name, offload, false).ok() &&
      !kernel.offload(name, offload).value_or(false)) {
    turned_off_.push_back(offload);
  } else {
    warnings_.push_back(fmt::format(
        "{0} stays on at {1}, which joins or changes frames before Drip gets them: ethtool -K {1} "
        "{0} off",
        name_of(offload), name));
  }
}

void Preparation::set_queues(Kernel& kernel, std::uint32_t queues) {
  const std::string& name = before_.name;
  const std::optional<Channels> before = kernel.channels(name);
  if (!before || before->receiving() <= queues) return;
  Channels wanted = *before;
  if (before->combined > 0) {
    wanted.combined = queues;
    wanted.rx = 0;
  } else {
    wanted.rx = queues;
  }
  if (kernel.set_channels(name, wanted).ok()) {
    channels_ = before;
    return;
  }
  warnings_.push_back(fmt::format(
      "{0} has {1} receive queues and Drip receives from {2}: what comes by the others is lost and "
      "counted nowhere: ethtool -L {0} {3} {2}",
      name, before->receiving(), queues, before->combined > 0 ? "combined" : "rx"));
}

void Preparation::restore(Kernel& kernel) const {
  const auto now = kernel.find(before_.index);
  if (!now.ok()) return;
  for (const Offload offload : turned_off_) {
    (void)kernel.set_offload(now->name, offload, true);
  }
  if (channels_) (void)kernel.set_channels(now->name, *channels_);
  if (now->mtu != before_.mtu) (void)kernel.set_mtu(now->name, before_.mtu);
  if (now->promiscuous && !before_.promiscuous) (void)kernel.set_promiscuous(now->name, false);
}

}  // namespace drip::netdev
