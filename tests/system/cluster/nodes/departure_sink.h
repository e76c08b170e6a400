// SPDX-License-Identifier: BSD-3-Clause
// The far side of a bucket that several nodes leak: what departs, by the clock of who receives it.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "drip/v1/rate_limiter.grpc.pb.h"
#include "nodes/node_group.h"

namespace drip {

/// Keeps a number of AwaitTurn calls under way on each node that it is told of, so that the bucket
/// is backlogged there, and notes when each returns. Thread safe.
class DepartureSink {
 public:
  using Clock = std::chrono::steady_clock;
  struct Departure {
    Clock::time_point when;  ///< It arrived here.
    std::string node;
    /// The unit did not depart before: the call's begin and the sojourn that its node measured.
    Clock::time_point earliest{};
  };
  struct Failure {
    Clock::time_point when;
    std::string node;
    grpc::Status status;
  };

  explicit DepartureSink(std::string bucket_id);
  ~DepartureSink();
  DepartureSink(const DepartureSink&) = delete;
  DepartureSink& operator=(const DepartureSink&) = delete;

  /// `calls` more are under way on `node` from now on. A node that is not there is asked again.
  void feed(ClusterNode& node, int calls);
  /// No new calls for this node; those under way end as they do.
  void starve(const std::string& node);
  /// Gives up what is under way.
  void stop();

  [[nodiscard]] std::vector<Departure> departures() const;
  [[nodiscard]] std::vector<Failure> failures() const;
  /// From `begin` to `end`, of all nodes.
  [[nodiscard]] std::size_t count(Clock::time_point begin, Clock::time_point end) const;
  /// Of these, those that certainly departed in that time, whatever stood still meanwhile.
  [[nodiscard]] std::size_t count_certain(Clock::time_point begin, Clock::time_point end) const;

 private:
  struct Call;
  void run();
  void begin(std::shared_ptr<v1::RateLimiterService::Stub> stub, const std::string& node);

  const std::string bucket_id_;
  grpc::CompletionQueue queue_;
  mutable std::mutex mutex_;
  std::map<Call*, std::unique_ptr<Call>> calls_;
  std::map<std::string, bool> fed_;
  std::vector<Departure> departures_;
  std::vector<Failure> failures_;
  bool stopped_ = false;
  std::thread thread_;
};

/// The most by which `departures` from `begin` to `end` exceed a bucket that leaks `rate` a second:
/// the deepest a queue would be that they fill and the rate empties (Cruz, "A calculus for network
/// delay", 1991, the burst of the envelope).
double worst_excess(const std::vector<DepartureSink::Departure>& departures, double rate,
                    DepartureSink::Clock::time_point begin,
                    DepartureSink::Clock::time_point end = DepartureSink::Clock::time_point::max());

/// The same of what certainly departed within each span, so that a stall of the sink or of the
/// machine is no excess: the most by which the units of which `earliest` and `when` are within a
/// span exceed the rate's part of it.
double certain_excess(
    std::vector<DepartureSink::Departure> departures, double rate,
    DepartureSink::Clock::time_point begin,
    DepartureSink::Clock::time_point end = DepartureSink::Clock::time_point::max());

}  // namespace drip
