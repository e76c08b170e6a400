// SPDX-License-Identifier: BSD-3-Clause
// What is measured under a throttled load: dripd's paths, and librte_sched.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "bench/path/bench_port.h"
#include "bench/path/throttled/load.h"

namespace drip::bench {

enum class Path : std::uint8_t { kBuckets, kWhole, kFair, kSched, kTree, kSchedTree };
inline constexpr std::array kPaths = {Path::kBuckets, Path::kWhole, Path::kFair,
                                      Path::kSched,   Path::kTree,  Path::kSchedTree};
[[nodiscard]] constexpr std::string_view name_of(Path path) {
  constexpr std::array<std::string_view, kPaths.size()> kNames = {
      "buckets", "whole", "fair", "librte_sched", "tree", "librte_sched tree"};
  return kNames[static_cast<std::size_t>(path)];
}
[[nodiscard]] constexpr bool is_peer(Path path) {
  return path == Path::kSched || path == Path::kSchedTree;
}
/// One whose root is the bottleneck: when its leaves began does not matter.
[[nodiscard]] constexpr bool is_tree(Path path) {
  return path == Path::kTree || path == Path::kSchedTree;
}

/// Takes what has come to its port, a burst at a time, and lets go what is due.
class Subject {
 public:
  virtual ~Subject() = default;
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  /// One loop. What leaves and what is dropped is counted by port().
  virtual void poll() = 0;
  /// Gives to the port what a loop has left over: drops are freed with the next one.
  virtual void flush() {}
  /// How the first departure of a bucket is set.
  enum class First : std::uint8_t { kHeld, kByArrival, kAny };
  [[nodiscard]] virtual First first() const { return First::kHeld; }
  /// kHeld: nothing leaves an idle bucket before this time has passed.
  virtual void hold(std::uint32_t /*bucket*/, Duration /*span*/) {}
  /// Whether its rates are of packets whatever their length.
  [[nodiscard]] virtual bool counts_packets() const { return !by_bytes_; }
  /// Packets that it has, as it counts them itself if it does.
  [[nodiscard]] virtual std::uint64_t waiting() const { return pool_.in_use(); }

  [[nodiscard]] BenchPort& port() { return port_; }
  /// In which order packets come to the port, unless it is given another one.
  [[nodiscard]] BucketOrder& arrivals() { return arrivals_; }

 protected:
  explicit Subject(const Load& load)
      : pool_(load.pool),
        by_bytes_(load.by_bytes()),
        arrivals_(load.traffic.arrivals()),
        port_(load.pool, arrivals_) {
    if (by_bytes_) port_.count_bytes();
  }

  PacketPool& pool_;
  bool by_bytes_;
  BucketOrder arrivals_;
  BenchPort port_;
};

/// Why there is no such subject for a load; empty: there is one.
[[nodiscard]] std::string_view why_not(Path path, const Traffic& traffic);
/// What `load` refers to outlives the subject.
[[nodiscard]] absl::StatusOr<std::unique_ptr<Subject>> make_subject(Path path, const Load& load);

// ---- What make_subject() makes, each in a file of its own
[[nodiscard]] std::unique_ptr<Subject> make_buckets(const Load& load);
[[nodiscard]] std::unique_ptr<Subject> make_whole(const Load& load);
[[nodiscard]] std::unique_ptr<Subject> make_fair(const Load& load);
[[nodiscard]] std::unique_ptr<Subject> make_tree(const Load& load);
[[nodiscard]] absl::StatusOr<std::unique_ptr<Subject>> make_sched(const Load& load);
[[nodiscard]] absl::StatusOr<std::unique_ptr<Subject>> make_sched_tree(const Load& load);

}  // namespace drip::bench
