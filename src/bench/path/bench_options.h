// SPDX-License-Identifier: BSD-3-Clause
// What all cases of drip-bench are told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/report/report.h"
#include "datapath/clock/tsc_clock.h"

namespace drip::bench {

struct BenchOptions {
  std::vector<std::uint32_t> buckets = {1, 64, 1024, 16384, 65536, 262144, 1048576};
  int repeat = 5;         ///< Interleaved runs, of which the median and the range are shown.
  double seconds = 0.2;   ///< Of one run.
  std::string only;       ///< Of the variants of a case; empty: all.
  std::string order;      ///< Of the buckets, in `cost` and `throttled`; empty: the case's own.
  std::string json_path;  ///< Empty: none is written.
  unsigned cpu = 1;       ///< Where the first polling thread runs.
  std::uint64_t memory_mib = 3072;
  bool hugepages = true;
  // ---- `throttled`; empty: all
  std::string frames = "64";
  std::vector<std::string> paths;
  std::vector<std::string> starts;
  std::vector<double> offered_mpps = {1, 4, 8};
  // ---- `scale`
  unsigned cores = 2;
};

/// What runs a case: started once.
struct Bench {
  const BenchOptions& options;
  const datapath::TscClock& clock;
  Report& report;

  [[nodiscard]] datapath::TscClock::Reader reader() const {
    return datapath::TscClock::Reader(clock);
  }
  [[nodiscard]] double tsc_hz() const { return clock.read().tsc_hz; }
};

}  // namespace drip::bench
