// SPDX-License-Identifier: BSD-3-Clause
// The command `doctor`: whether this machine lets dripd do what it could.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/doctor/checks.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

struct Options {
  std::string root = "/";
  std::string cpus;
  std::vector<std::string> interfaces;
  std::uint64_t mbufs = 65'535;
  std::string pid;
};

struct Shown {
  const char* name;
  const char* colour;  // Of ECMA-48, "Select graphic rendition".
};
Shown shown(Verdict verdict) {
  switch (verdict) {
    case Verdict::kGood:
      return {"good", "\033[32m"};
    case Verdict::kUnknown:
      return {"unknown", "\033[2m"};
    case Verdict::kWarn:
      return {"warn", "\033[33m"};
    case Verdict::kBad:
      break;
  }
  return {"bad", "\033[31m"};
}

// "net_af_xdp0,iface=eth1,queue_count=1" -> "eth1".
std::string interface_of(const std::string& device) {
  constexpr std::string_view kKey = ",iface=";
  const std::size_t at = device.find(kKey);
  if (at == std::string::npos) return "";
  const std::size_t begin = at + kKey.size();
  return device.substr(begin, device.find(',', begin) - begin);
}

// What the dripd that answers says of itself; nothing is set if none does.
void ask_server(Session& session, Subject& subject) {
  try {
    const v1::GetNodeResponse node = session.connection.call(&Shaper::GetNode, {});
    const v1::ListLcoresResponse lcores = session.connection.call(&Shaper::ListLcores, {});
    const v1::ListPortsResponse ports = session.connection.call(&Shaper::ListPorts, {});
    subject.running = true;
    subject.mbufs = node.memory().mbufs();
    subject.hugepages = node.memory().hugepages();
    for (const v1::Lcore& lcore : lcores.lcores()) {
      if (lcore.cpu() >= 0) subject.polling.insert(lcore.cpu());
    }
    for (const v1::Port& port : ports.ports()) {
      subject.ports.push_back(
          {port.name(), interface_of(port.device()), port.numa_node(), port.rx_queues()});
    }
  } catch (const CallError& error) {
    if (error.server_reached()) throw;
  }
}

// Of the one process of this name; "self" if there is none, or several.
std::string pid_of_dripd(const Machine& machine) {
  std::string pid = "self";
  for (const std::string& name : machine.list("proc")) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (machine.read("proc/" + name + "/comm") != "dripd") continue;
    if (pid != "self") return "self";
    pid = name;
  }
  return pid;
}

nlohmann::ordered_json to_json(const std::vector<Finding>& findings) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"check", finding.check},
                    {"verdict", shown(finding.verdict).name},
                    {"found", finding.found},
                    {"why", finding.why},
                    {"mend", finding.mend}});
  }
  return {{"findings", std::move(list)}};
}

void print_text(const std::vector<Finding>& findings) {
  const bool coloured = isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  std::size_t width = 0;
  std::map<Verdict, int> counts;
  for (const Finding& finding : findings) {
    width = std::max(width, finding.check.size());
    ++counts[finding.verdict];
  }
  for (const Finding& finding : findings) {
    const auto [name, colour] = shown(finding.verdict);
    print_line(fmt::format("{}{:<7}{}  {:<{}}  {}", coloured ? colour : "", name,
                           coloured ? "\033[0m" : "", finding.check, width, finding.found));
    if (!finding.why.empty()) print_line(fmt::format("{:9}{}", "", finding.why));
    if (!finding.mend.empty()) print_line(fmt::format("{:9}$ {}", "", finding.mend));
  }
  print_line(fmt::format("{} good, {} unknown, {} warn, {} bad", counts[Verdict::kGood],
                         counts[Verdict::kUnknown], counts[Verdict::kWarn], counts[Verdict::kBad]));
}

Exit examine_machine(Session& session, const Options& options) {
  const Machine machine(options.root);
  if (!machine.exists("proc")) throw UsageError("--root: there is no proc in " + options.root);
  Subject subject;
  ask_server(session, subject);
  if (!options.cpus.empty()) {
    subject.polling = parse_cpus(options.cpus);
    if (subject.polling.empty()) {
      throw UsageError("--cpus: " + argument_error(options.cpus, "CPUs such as 2,3 or 2-5"));
    }
  }
  if (!subject.running) {
    subject.mbufs = options.mbufs;
    for (const std::string& interface : options.interfaces) {
      const long node =
          machine.read_number("sys/class/net/" + interface + "/device/numa_node").value_or(-1);
      subject.ports.push_back({interface, interface, static_cast<int>(node), 0});
    }
  }
  subject.pid = options.pid.empty() ? pid_of_dripd(machine) : options.pid;
  const std::vector<Finding> findings = examine(machine, subject);
  if (session.json) {
    print(to_json(findings));
  } else {
    print_text(findings);
  }
  for (const Finding& finding : findings) {
    if (finding.verdict == Verdict::kBad) return Exit::kRejected;
  }
  return Exit::kOk;
}

}  // namespace

void add_doctor_command(CommandLine* line) {
  CLI::App* command = line->add_command(
      "doctor", "This machine: what keeps dripd from its full performance, and how to mend it");
  auto options = std::make_shared<Options>();
  command
      ->add_option("--cpus", options->cpus,
                   "CPUs of polling threads [those of the dripd that answers]")
      ->type_name("LIST");
  command
      ->add_option("--interface", options->interfaces,
                   "Before dripd runs: an interface that it is to take; repeatable")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command->add_option("--mbufs", options->mbufs, "Before dripd runs: its packet buffers [65535]")
      ->type_name("N");
  command->add_option("--pid", options->pid, "Whose limits count [the one process named dripd]")
      ->type_name("PID")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--root", options->root,
                   "Directory that has proc and sys of another machine, as captured [/]")
      ->type_name("DIR");
  command->footer(
      "Examples:\n  dripctl doctor\n  dripctl doctor --cpus 2,3 --interface eth1 --interface eth2\n"
      "\nThe dripd at --server must be on this machine; none need run. Exit code 1: something is "
      "bad.\n--server, --timeout and --json: see dripctl --help.");
  line->set_default_subcommand(
      command, [options](Session& session) { return examine_machine(session, *options); });
}

}  // namespace drip::cli
