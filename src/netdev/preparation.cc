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

absl::Status check_beside_the_kernel(Kernel& kernel, const Link& link,
                                     const std::vector<std::string>& addresses) {
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
  if (const auto settings = kernel.forwarding(link.name); !settings.empty()) {
    return absl::FailedPreconditionError(fmt::format(
        "the kernel forwards what comes in by {}, unshaped beside af_packet; use af_xdp (--port "
        "NAME={}), or: sysctl -w {}",
        link.name, link.name, fmt::join(settings, " ")));
  }
  return absl::OkStatus();
}

// Beside AF_PACKET the kernel passes on nothing: check_beside_the_kernel().
absl::Status check_failure(Kernel& kernel, const Link& link, Access access, OnFailure on_failure) {
  if (access == Access::kXdp) return check_kernel_path(kernel, link, on_failure);
  if (on_failure != OnFailure::kPass) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "on_failure is pass, and a kernel that passes on what comes in by {0} would do so "
      "beside af_packet as well; use af_xdp (--port NAME={0})",
      link.name));
}

// What joins frames. A NIC also takes the VLAN tag out of them; virtual interfaces give AF_XDP the
// whole frame.
std::vector<Offload> unwanted_offloads(Access access, const Link& link) {
  std::vector<Offload> offloads = {Offload::kGro, Offload::kLro, Offload::kTso};
  if (access == Access::kXdp && link.kind.empty()) offloads.push_back(Offload::kRxVlan);
  return offloads;
}

}  // namespace

absl::StatusOr<Preparation> Preparation::apply(Kernel& kernel, const Link& link, Access access,
                                               std::uint32_t queues, OnFailure on_failure) {
  const std::vector<std::string> addresses = kernel.addresses(link.index);
  absl::Status status = access == Access::kXdp ? check_programs(kernel, link)
                                               : check_beside_the_kernel(kernel, link, addresses);
  if (!status.ok()) return status;
  if (status = check_failure(kernel, link, access, on_failure); !status.ok()) return status;

  Preparation preparation(link, access, queues, on_failure);
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
  if (const auto path = find_kernel_path(kernel, link);
      access == Access::kXdp && on_failure == OnFailure::kUnset && path) {
    warnings.push_back(fmt::format(
        "when dripd does not run, the kernel passes on what comes in by {}, unshaped ({}); say "
        "that it is wanted, on_failure pass, or: {}",
        link.name, path->by, path->ending));
  }
  preparation.set_offloads(kernel, link.name, true, warnings);
  preparation.set_queues(kernel, link.name, true, warnings);
  return preparation;
}

std::vector<std::string> Preparation::keep(Kernel& kernel, const Link& link) {
  std::vector<std::string> lines;
  set_offloads(kernel, link.name, false, lines);
  set_queues(kernel, link.name, false, lines);
  if (access_ == Access::kPacket) {
    const absl::Status status = check_beside_the_kernel(kernel, link, kernel.addresses(link.index));
    complain("kernel", std::string(status.message()), lines);
  } else {
    const bool attached = link.xdp_program != 0;
    complain("program",
             attached ? ""
                      : fmt::format("the XDP program by which Drip receives from {} was removed, "
                                    "and nothing is received; restart dripd",
                                    link.name),
             lines);
    const absl::Status path = check_kernel_path(kernel, link, on_failure_);
    complain("failure", std::string(path.message()), lines);
  }
  return lines;
}

std::vector<std::string> Preparation::standing() const {
  std::vector<std::string> lines;
  for (const auto& [subject, text] : complaints_) {
    if (!text.empty()) lines.push_back(text);
  }
  return lines;
}

void Preparation::set_offloads(Kernel& kernel, const std::string& name, bool start,
                               std::vector<std::string>& lines) {
  for (const Offload offload : unwanted_offloads(access_, before_)) {
    const std::string_view what = name_of(offload);
    const auto is_on = [&] { return kernel.offload(name, offload).value_or(false); };
    if (!is_on()) {
      complain(what, "", lines);
      continue;
    }
    if (!kernel.set_offload(name, offload, false).ok() || is_on()) {
      complain(what,
               fmt::format("{0} stays on at {1}, which joins or changes frames before Drip gets "
                           "them: ethtool -K {1} {0} off",
                           what, name),
               lines);
      continue;
    }
    if (std::find(turned_off_.begin(), turned_off_.end(), offload) == turned_off_.end()) {
      turned_off_.push_back(offload);
    }
    if (!start) {
      lines.push_back(fmt::format(
          "somebody turned on {} at {}, which joins or changes frames before Drip gets them; Drip "
          "has turned it off again",
          what, name));
    }
  }
}

void Preparation::set_queues(Kernel& kernel, const std::string& name, bool start,
                             std::vector<std::string>& lines) {
  if (access_ != Access::kXdp) return;  // AF_PACKET receives from all of them.
  const std::optional<Channels> now = kernel.channels(name);
  if (!now || now->receiving() <= queues_) return complain("queues", "", lines);
  Channels wanted = *now;
  if (now->combined > 0) {
    wanted.combined = queues_;
    wanted.rx = 0;
  } else {
    wanted.rx = queues_;
  }
  if (!kernel.set_channels(name, wanted).ok()) {
    return complain(
        "queues",
        fmt::format("{0} has {1} receive queues and Drip receives from {2}: what comes "
                    "by the others is lost and counted nowhere: ethtool -L {0} {3} {2}",
                    name, now->receiving(), queues_, now->combined > 0 ? "combined" : "rx"),
        lines);
  }
  channels_ = now;
  if (!start) {
    lines.push_back(fmt::format(
        "somebody gave {} {} receive queues, and Drip receives from {}; Drip has set them again",
        name, now->receiving(), queues_));
  }
}

void Preparation::complain(std::string_view subject, std::string text,
                           std::vector<std::string>& lines) {
  const auto found = complaints_.find(subject);
  if (found != complaints_.end() && found->second == text) return;
  if (!text.empty()) lines.push_back(text);
  if (found != complaints_.end()) {
    found->second = std::move(text);
  } else if (!text.empty()) {
    complaints_.emplace(subject, std::move(text));
  }
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
