// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes QueueConfig.
#include "control/convert/convert_queue.h"

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_enum.h"
#include "drip/queue/cobalt.h"

namespace drip::control {
namespace {

constexpr EnumPair<QueueKind> kKinds[] = {{QueueKind::kFifo, v1::QUEUE_KIND_FIFO},
                                          {QueueKind::kFair, v1::QUEUE_KIND_FAIR}};
constexpr EnumPair<Isolation> kIsolations[] = {{Isolation::kFlow, v1::ISOLATION_FLOW},
                                               {Isolation::kSource, v1::ISOLATION_SOURCE},
                                               {Isolation::kDestination, v1::ISOLATION_DESTINATION},
                                               {Isolation::kHosts, v1::ISOLATION_HOSTS}};
constexpr EnumPair<Aqm> kAqms[] = {
    {Aqm::kNone, v1::AQM_NONE}, {Aqm::kCodel, v1::AQM_CODEL}, {Aqm::kDualPi2, v1::AQM_DUALPI2}};
constexpr EnumPair<TinMode> kTins[] = {{TinMode::kNone, v1::TINS_NONE},
                                       {TinMode::kDiffserv3, v1::TINS_DIFFSERV3},
                                       {TinMode::kDiffserv4, v1::TINS_DIFFSERV4}};

constexpr Duration kMostThreshold{10'000'000'000};

absl::Status read_enums(const v1::QueueConfig& config, std::string_view path, QueuePatch& patch) {
  absl::Status status = read_enum(joined(path, "kind"), static_cast<int>(config.kind()), kKinds,
                                  "QUEUE_KIND_FIFO (1), QUEUE_KIND_FAIR (2) or unset", patch.kind);
  if (!status.ok()) return status;
  status = read_enum(joined(path, "isolate"), static_cast<int>(config.isolate()), kIsolations,
                     "ISOLATION_FLOW (1), ISOLATION_SOURCE (2), ISOLATION_DESTINATION (3), "
                     "ISOLATION_HOSTS (4) or unset",
                     patch.isolation);
  if (!status.ok()) return status;
  status = read_enum(joined(path, "aqm"), static_cast<int>(config.aqm()), kAqms,
                     "AQM_NONE (1), AQM_CODEL (2), AQM_DUALPI2 (3) or unset", patch.aqm);
  if (!status.ok()) return status;
  return read_enum(joined(path, "tins"), static_cast<int>(config.tins()), kTins,
                   "TINS_NONE (1), TINS_DIFFSERV3 (2), TINS_DIFFSERV4 (3) or unset", patch.tins);
}

absl::Status read_span(bool present, std::uint64_t ns, std::string_view field, Duration most,
                       std::optional<Duration>& span) {
  if (!present) return absl::OkStatus();
  absl::Status status =
      check_range(field, ns, std::uint64_t{0}, static_cast<std::uint64_t>(most.ns), " ns");
  if (status.ok()) span = Duration{static_cast<std::int64_t>(ns)};
  return status;
}

absl::Status read_spans(const v1::QueueConfig& config, std::string_view path, QueuePatch& patch) {
  constexpr Duration kLongest = CobaltParameters::kMaxInterval;
  absl::Status status = read_span(config.has_target_ns(), config.target_ns(),
                                  joined(path, "target_ns"), kLongest, patch.target);
  status.Update(read_span(config.has_interval_ns(), config.interval_ns(),
                          joined(path, "interval_ns"), kLongest, patch.interval));
  status.Update(read_span(config.has_l4s_threshold_ns(), config.l4s_threshold_ns(),
                          joined(path, "l4s_threshold_ns"), kMostThreshold, patch.l4s_threshold));
  status.Update(read_span(config.has_max_wait_ns(), config.max_wait_ns(),
                          joined(path, "max_wait_ns"), kMaxMaxWait, patch.max_wait));
  if (!status.ok()) return status;
  constexpr Duration kLeast{1'000};
  if (patch.target && patch.target->ns != 0 && *patch.target < kLeast) {
    return not_allowed(joined(path, "target_ns"), joined(patch.target->ns),
                       "0, or 1000 to 100000000000 ns");
  }
  if (patch.interval && *patch.interval < kLeast) {
    return not_allowed(joined(path, "interval_ns"), joined(patch.interval->ns),
                       "1000 to 100000000000 ns");
  }
  return absl::OkStatus();
}

std::uint64_t ns(Duration span) { return static_cast<std::uint64_t>(span.ns); }

}  // namespace

absl::Status read_queue(const v1::QueueConfig& config, std::string_view path, QueuePatch& patch) {
  absl::Status status = read_enums(config, path, patch);
  if (!status.ok()) return status;
  if (config.has_wash()) patch.wash = config.wash();
  if (config.has_quantum_bytes()) {
    status = check_range(joined(path, "quantum_bytes"), std::uint64_t{config.quantum_bytes()},
                         std::uint64_t{kMinQuantum}, std::uint64_t{kMaxQuantum}, " bytes");
    if (!status.ok()) return status;
    patch.quantum = config.quantum_bytes();
  }
  return read_spans(config, path, patch);
}

void write_queue(const QueueSettings& queue, v1::QueueConfig& config) {
  config.set_kind(write_enum<v1::QueueKind>(queue.kind, kKinds));
  config.set_isolate(write_enum<v1::Isolation>(queue.isolation, kIsolations));
  config.set_aqm(write_enum<v1::Aqm>(queue.aqm, kAqms));
  config.set_tins(write_enum<v1::Tins>(queue.tins, kTins));
  config.set_wash(queue.wash);
  config.set_quantum_bytes(queue.quantum);
  config.set_target_ns(ns(queue.target));
  config.set_interval_ns(ns(queue.interval));
  config.set_l4s_threshold_ns(ns(queue.l4s_threshold));
  config.set_max_wait_ns(ns(queue.max_wait));
}

void write_queue_stats(const QueueCounters& counters, v1::QueueStats& stats) {
  stats.set_marks(counters.marks);
  stats.set_overflow_drops(counters.overflow_drops);
  stats.set_aqm_drops(counters.aqm_drops);
  stats.set_max_wait_drops(counters.max_wait_drops);
  stats.set_flows(counters.flows);
}

}  // namespace drip::control
