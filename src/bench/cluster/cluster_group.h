// SPDX-License-Identifier: BSD-3-Clause
// A Redis and some dripds in its cluster, as child processes on loopback.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/control/child_server.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::bench {

/// A redis-server without persistence on a free port of 127.0.0.1; ends it with the object.
class ChildRedis {
 public:
  /// UNAVAILABLE if it does not accept connections within 20 s.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<ChildRedis>> start(
      const std::string& program);
  [[nodiscard]] std::string url() const;
  [[nodiscard]] double cpu_seconds() const { return process_.use().cpu_seconds; }

 private:
  ChildRedis(ChildProcess process, std::uint16_t port)
      : process_(std::move(process)), port_(port) {}

  ChildProcess process_;
  std::uint16_t port_;
};

/// Nodes of one cluster. Its Redis outlives it.
class ClusterGroup {
 public:
  [[nodiscard]] static absl::StatusOr<ClusterGroup> start(const std::string& dripd,
                                                          const ChildRedis& redis,
                                                          std::size_t nodes);
  [[nodiscard]] const std::vector<ChildServer>& nodes() const { return nodes_; }
  /// Sets a bucket and waits until all nodes have it (and of a split one a share).
  [[nodiscard]] absl::Status configure(const v1::ConfigureBucketRequest& request) const;

 private:
  std::vector<ChildServer> nodes_;
};

}  // namespace drip::bench
