// SPDX-License-Identifier: BSD-3-Clause
// drip-bench: measures the code that dripd runs, beside its peers.
#include <cstdio>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "bench/cluster/cluster.h"
#include "bench/control/control.h"
#include "bench/path/bench_options.h"
#include "bench/path/cases.h"
#include "bench/report/report.h"
#include "datapath/poll_engine/thread_setup.h"
#include "dpdk/eal.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

using Case = absl::Status (*)(const Bench&);

int fail(const absl::Status& status) {
  fmt::print(stderr, "drip-bench: {}\n", std::string(status.message()));
  return 1;
}

int run(const BenchOptions& options, std::string_view name, Case run_case) {
  dpdk::EalOptions eal_options;
  eal_options.memory_bytes = options.memory_mib << 20;
  eal_options.small_page_bytes = eal_options.memory_bytes;
  eal_options.hugepages = options.hugepages ? dpdk::Hugepages::kIfAny : dpdk::Hugepages::kNever;
  eal_options.control_cpus = {0};
  eal_options.extra = {"--log-level=error"};
  const auto eal = dpdk::Eal::start(eal_options);
  if (!eal.ok()) return fail(eal.status());

  const datapath::TscClock clock;
  datapath::LcorePlan plan;
  plan.cpu = static_cast<std::int32_t>(options.cpu);
  for (const std::string& warning : datapath::set_up_thread(plan, "drip-bench")) {
    fmt::print(stderr, "drip-bench: {}\n", warning);
  }
  Report report(name);
  report.context("tsc_mhz", clock.read().tsc_hz / 1e6);
  report.context("hugepages", eal->hugepages());
  report.context("repeat", options.repeat);
  report.context("seconds", options.seconds);
  if (absl::Status status = run_case(Bench{options, clock, report}); !status.ok()) {
    return fail(status);
  }
  const absl::Status written = report.write(options.json_path);
  return written.ok() ? 0 : fail(written);
}

void add_throttled_options(CLI::App& command, BenchOptions& options) {
  command
      .add_option("--frames", options.frames,
                  "64 (with FCS), 1514 (without) or imix: 7 of 64, 4 of 570, 1 of 1518 with FCS; "
                  "for other frames than 64 the rates are in bits")
      ->check(CLI::IsMember({"64", "1514", "imix"}))
      ->capture_default_str();
  command.add_option("--path", options.paths, "What is measured [all]")
      ->delimiter(',')
      ->check(
          CLI::IsMember({"buckets", "whole", "fair", "librte_sched", "tree", "librte_sched-tree"}));
  command.add_option("--start", options.starts, "First departures of the buckets [both]")
      ->delimiter(',')
      ->check(CLI::IsMember({"staggered", "in-step"}));
  command
      .add_option("--offered", options.offered_mpps, "Mpps, twice what is allowed (0.001 to 128)")
      ->delimiter(',')
      ->check(CLI::Range(0.001, 128.0))
      ->capture_default_str();
}

int run_command_line(int argc, char** argv) {
  CLI::App app("Measures Drip's packet path, beside its peers, without a NIC.", "drip-bench");
  app.require_subcommand(1);
  BenchOptions options;
  int result = 0;
  const auto add_case = [&](const char* name, const char* text, Case run_case) {
    CLI::App* const command = app.add_subcommand(name, text);
    command->add_option("--buckets", options.buckets, "Numbers of buckets, 1 to 1048576 each")
        ->delimiter(',')
        ->check(CLI::Range(1, 1 << 20));
    command->add_option("--repeat", options.repeat, "Interleaved runs (1 to 99)")
        ->check(CLI::Range(1, 99))
        ->capture_default_str();
    command->add_option("--seconds", options.seconds, "Of one run (0.001 to 600)")
        ->check(CLI::Range(0.001, 600.0))
        ->capture_default_str();
    command->add_option("--json", options.json_path, "Write all results to this file");
    command->add_option("--cpu", options.cpu, "Where the first polling thread runs")
        ->capture_default_str();
    command->add_option("--memory", options.memory_mib, "For packets and librte_sched, in MiB")
        ->check(CLI::Range(64, 65536))
        ->capture_default_str();
    command->add_flag("!--no-huge", options.hugepages, "Do without hugepages");
    command->callback(
        [&result, &options, name, run_case] { result = run(options, name, run_case); });
    return command;
  };
  const auto add_only = [&](CLI::App* command, const char* text,
                            const std::vector<std::string>& names) {
    command->add_option("--only", options.only, text)->check(CLI::IsMember(names));
  };
  const auto add_order = [&](CLI::App* command, const char* text) {
    command->add_option("--order", options.order, text)
        ->check(CLI::IsMember({"round-robin", "zipf"}));
  };
  CLI::App* const cluster =
      app.add_subcommand("cluster", "Shared buckets: see drip-bench cluster --help");
  cluster->set_help_flag();
  cluster->prefix_command();
  cluster->callback([&result, cluster] { result = run_cluster(cluster->remaining()); });
  CLI::App* const cost =
      add_case("cost", "Cycles a packet, by stage and as a whole, nothing throttled", run_cost);
  add_order(cost, "Of the buckets [both]");
  add_only(cost, "One of the paths, for profiles",
           {"straight", "scheduled", "source", "parse", "classify", "whole", "librte_sched"});
  CLI::App* const control =
      app.add_subcommand("control", "gRPC to a real dripd: see drip-bench control --help");
  control->set_help_flag();
  control->prefix_command();
  control->callback([&result, control] { result = run_control(control->remaining()); });
  add_case("memory", "Bytes a bucket takes, by part, idle and full", run_memory);
  add_case("precision", "Gaps, rate and excess of one backlogged bucket", run_precision);
  add_case("queues", "Cycles a packet in the queue of a leaf: FIFO, fair, with COBALT", run_queues);
  add_case("moves", "How long a move of buckets keeps a polling thread", run_moves);
  add_case("scale", "Throughput of one and of several cores, by where packets come", run_scale)
      ->add_option("--cores", options.cores, "Polling threads, each with a CPU (2 to 64)")
      ->check(CLI::Range(2, 64))
      ->capture_default_str();
  add_case("spread", "One root on two polling cores: rate used, sum of shares, throughput",
           run_spread);
  CLI::App* const throttled =
      add_case("throttled", "Twice the allowed load: what leaves, the most that can, longest loops",
               run_throttled);
  add_order(throttled, "Of the buckets [round-robin]; with zipf each has its part of the rate");
  add_only(throttled, "load, most or loops [load and most]", {"load", "most", "loops"});
  add_throttled_options(*throttled, options);
  add_only(add_case("trees", "Cycles a packet through trees, by bottleneck and levels", run_trees),
           "One of the bottlenecks", {"root", "leaves", "idle"});
  CLI11_PARSE(app, argc, argv);
  return result;
}

}  // namespace
}  // namespace drip::bench

int main(int argc, char** argv) { return drip::bench::run_command_line(argc, argv); }
