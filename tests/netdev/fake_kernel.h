// SPDX-License-Identifier: BSD-3-Clause
// Interfaces that the test makes.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "netdev/kernel.h"

namespace drip::netdev {

class FakeKernel final : public Kernel {
 public:
  struct Interface {
    Link link;
    std::vector<std::string> addresses;
    std::vector<std::string> forwarding;
    std::map<Offload, bool> offloads;
    std::set<Offload> fixed;  // Offloads that cannot be changed.
    std::optional<Channels> channels;
    bool channels_fixed = false;
    XdpPrograms programs;
    bool queue_taken = false;
  };
  std::map<std::string, Interface> interfaces;

  absl::StatusOr<Link> find(const std::string& name) override {
    const auto found = interfaces.find(name);
    if (found == interfaces.end()) return absl::NotFoundError(name);
    return found->second.link;
  }
  absl::StatusOr<Link> find(int index) override {
    for (const auto& [name, one] : interfaces) {
      if (one.link.index == index) return one.link;
    }
    return absl::NotFoundError("index");
  }
  std::vector<std::string> addresses(int index) override { return at(index).addresses; }
  std::vector<std::string> forwarding(const std::string& name) override {
    return interfaces[name].forwarding;
  }
  std::uint64_t speed(const std::string&) override { return 0; }
  std::optional<bool> offload(const std::string& name, Offload offload) override {
    const auto& offloads = interfaces[name].offloads;
    const auto found = offloads.find(offload);
    return found == offloads.end() ? std::nullopt : std::optional(found->second);
  }
  absl::Status set_offload(const std::string& name, Offload offload, bool on) override {
    if (interfaces[name].fixed.contains(offload)) return absl::UnimplementedError("fixed");
    interfaces[name].offloads[offload] = on;
    return absl::OkStatus();
  }
  std::optional<Channels> channels(const std::string& name) override {
    return interfaces[name].channels;
  }
  absl::Status set_channels(const std::string& name, const Channels& channels) override {
    if (interfaces[name].channels_fixed) return absl::UnimplementedError("fixed");
    interfaces[name].channels = channels;
    return absl::OkStatus();
  }
  absl::Status set_mtu(const std::string& name, std::uint32_t mtu) override {
    interfaces[name].link.mtu = mtu;
    return absl::OkStatus();
  }
  absl::Status set_promiscuous(const std::string& name, bool on) override {
    interfaces[name].link.promiscuous = on;
    return absl::OkStatus();
  }
  XdpPrograms xdp_programs(int index) override { return at(index).programs; }
  absl::Status remove_xdp_program(int index) override {
    at(index).programs = {};
    return absl::OkStatus();
  }
  absl::Status remove_xdp_sockets(int) override { return absl::OkStatus(); }
  bool xdp_queue_is_taken(int index) override { return at(index).queue_taken; }
  std::vector<LinkEvent> wait(Duration) override { return {}; }

 private:
  Interface& at(int index) {
    for (auto& [name, one] : interfaces) {
      if (one.link.index == index) return one;
    }
    return interfaces[""];
  }
};

}  // namespace drip::netdev
