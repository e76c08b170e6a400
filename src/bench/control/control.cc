// SPDX-License-Identifier: BSD-3-Clause
// The command line of `drip-bench control` and the order of its cases.
#include "bench/control/control.h"

#include <algorithm>

#include "CLI/CLI.hpp"
#include "fmt/format.h"

namespace drip::bench {
namespace {

bool wanted(const ControlOptions& options, const std::string& name) {
  return options.cases.empty() || std::ranges::find(options.cases, name) != options.cases.end();
}

int failed(const absl::Status& status) {
  fmt::print(stderr, "drip-bench control: {}\n", std::string(status.message()));
  return 1;
}

}  // namespace

int run_control(std::vector<std::string> arguments) {
  ControlOptions options;
  CLI::App app("The control plane of a real dripd, measured over gRPC on the loopback.",
               "drip-bench control");
  app.add_option("--dripd", options.dripd, "the daemon to measure")->capture_default_str();
  app.add_option("--runs", options.runs, "interleaved runs of each figure")->capture_default_str();
  app.add_option("--seconds", options.seconds, "of each run")->capture_default_str();
  app.add_option("--buckets", options.buckets, "in the bulk case")->capture_default_str();
  app.add_option("--cpu", options.polling_cpu, "where dripd polls in the change case")
      ->capture_default_str();
  app.add_option("--case", options.cases, "allow, stream, bulk or change; repeatable [all]")
      ->check(CLI::IsMember({"allow", "stream", "bulk", "change"}));
  app.add_option("--json", options.json_path, "also write the figures to this file");
  std::ranges::reverse(arguments);  // As CLI11 wants them.
  try {
    app.parse(arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }

  // First of all: a fork must not have gRPC's threads behind it.
  const absl::StatusOr<ChildServer> empty = ChildServer::start_empty();
  if (!empty.ok()) return failed(empty.status());
  Report report("control");
  report.context("runs", options.runs);
  report.context("seconds", options.seconds);
  if (wanted(options, "allow")) {
    if (auto status = measure_allow(options, *empty, report); !status.ok()) return failed(status);
  }
  if (wanted(options, "stream")) {
    if (auto status = measure_stream(options, report); !status.ok()) return failed(status);
  }
  if (wanted(options, "bulk")) {
    if (auto status = measure_bulk(options, report); !status.ok()) return failed(status);
  }
  if (wanted(options, "change")) {
    if (auto status = measure_change(options, report); !status.ok()) return failed(status);
  }
  const absl::Status written = report.write(options.json_path);
  return written.ok() ? 0 : failed(written);
}

}  // namespace drip::bench
