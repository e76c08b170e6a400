// SPDX-License-Identifier: BSD-3-Clause
// Kernel interfaces of ports: offloads that join frames, and receive queues that nobody polls.
// ethtool(8), -k and -L; Linux: Documentation/networking/segmentation-offloads.rst, af_xdp.rst.
#include <algorithm>
#include <string>
#include <vector>

#include "cli/doctor/checks.h"
#include "fmt/format.h"

namespace drip::cli {
namespace {

struct Offload {
  const char* flag;
  std::vector<const char*> features;  // Any of them.
};
const Offload kJoining[] = {{"gro", {"generic-receive-offload"}},
                            {"lro", {"large-receive-offload"}},
                            // The group "tcp-segmentation-offload" is on as well where only
                            // tx-tcp-accecn-segmentation is, which joins no frames by itself and
                            // which the kernel's call for TSO does not turn off.
                            {"tso",
                             {"tx-tcp-segmentation", "tx-tcp-ecn-segmentation",
                              "tx-tcp-mangleid-segmentation", "tx-tcp6-segmentation"}}};

bool is_on(const std::string& features, const char* feature) {
  return features.find(fmt::format("{}: on", feature)) != std::string::npos;
}

void check_offloads(const Machine& machine, const Subject& subject, const Subject::Port& port,
                    std::vector<Finding>& into) {
  const std::string check = "offloads of " + port.interface;
  const auto features = machine.offloads(port.interface);
  if (!features) {
    into.push_back({check, Verdict::kUnknown, "no ethtool, or no such interface here", "", ""});
    return;
  }
  std::string on;
  std::string command = "sudo ethtool -K " + port.interface;
  for (const Offload& offload : kJoining) {
    if (std::ranges::none_of(offload.features,
                             [&](const char* feature) { return is_on(*features, feature); })) {
      continue;
    }
    on += (on.empty() ? "" : ", ") + std::string(offload.flag);
    command += fmt::format(" {} off", offload.flag);
  }
  if (on.empty()) {
    into.push_back({check, Verdict::kGood, "none that joins frames", "", ""});
  } else if (!subject.running) {
    into.push_back({check, Verdict::kGood, on + "; dripd turns them off when it starts", "", ""});
  } else {
    into.push_back(
        {check, Verdict::kBad, on,
         "frames are joined to ones longer than the MTU, which are dropped as egress_mtu",
         command});
  }
}

void check_queues(const Machine& machine, const Subject::Port& port, std::vector<Finding>& into) {
  const std::string check = "receive queues of " + port.interface;
  const auto names = machine.list("sys/class/net/" + port.interface + "/queues");
  const auto queues =
      std::ranges::count_if(names, [](const std::string& name) { return name.starts_with("rx-"); });
  if (queues == 0 || port.polled_queues == 0) {
    into.push_back({check, Verdict::kUnknown,
                    queues == 0 ? "no such interface here" : fmt::format("{}", queues), "", ""});
  } else if (queues <= static_cast<std::ptrdiff_t>(port.polled_queues)) {
    into.push_back({check, Verdict::kGood, fmt::format("{}, all polled", queues), "", ""});
  } else {
    into.push_back(
        {check, Verdict::kBad,
         fmt::format("{}, of which {} are polled", queues, port.polled_queues),
         "what comes by the others goes to the kernel and not to Drip",
         fmt::format("sudo ethtool -L {} combined {}", port.interface, port.polled_queues)});
  }
}

}  // namespace

void check_ports(const Machine& machine, const Subject& subject, std::vector<Finding>& into) {
  for (const Subject::Port& port : subject.ports) {
    if (port.interface.empty()) continue;
    check_offloads(machine, subject, port, into);
    if (subject.running) check_queues(machine, port, into);
  }
}

}  // namespace drip::cli
