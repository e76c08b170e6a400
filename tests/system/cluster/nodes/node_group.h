// SPDX-License-Identifier: BSD-3-Clause
// Real dripds in one cluster, a client of each, and waiting with a bound for what they come to.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/dripd_process.h"
#include "support/timed_wait.h"

namespace drip {

using Limiter = v1::RateLimiterService::Stub;
using Shaper = v1::ShaperService::Stub;

/// One dripd in the cluster at `redis_url`, as a child process with a client.
class ClusterNode {
 public:
  ClusterNode(const std::string& redis_url, const std::string& id,
              std::vector<std::string> more_flags = {})
      : id_(id), dripd_(flags(redis_url, id, std::move(more_flags))), client_(dripd_.address()) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  Client& client() { return client_; }
  DripdProcess& process() { return *dripd_.operator->(); }

  v1::GetClusterStatusResponse status() {
    return client_.call(&Limiter::GetClusterStatus, v1::GetClusterStatusRequest());
  }
  /// "n1@3": who leads and its epoch, or empty while that is not known.
  std::string leader() {
    v1::GetLeaderResponse reply;
    const auto status = client_.status_of(&Limiter::GetLeader, v1::GetLeaderRequest(), reply);
    return status.ok() ? reply.node_id() + "@" + std::to_string(reply.epoch()) : std::string();
  }
  /// Its rate on this node; 0 if there is no such bucket.
  double rate(const std::string& bucket_id) {
    v1::GetBucketStatusRequest request;
    request.set_bucket_id(bucket_id);
    v1::GetBucketStatusResponse reply;
    return client_.status_of(&Limiter::GetBucketStatus, request, reply).ok()
               ? reply.bucket().leak_rate()
               : 0;
  }
  grpc::Status configure(const std::string& id, std::uint64_t capacity, double rate,
                         std::int64_t expected_revision = -1) {
    v1::ConfigureBucketRequest request;
    request.set_bucket_id(id);
    request.set_capacity(capacity);
    request.set_leak_rate(rate);
    if (expected_revision >= 0) {
      request.set_expected_revision(static_cast<std::uint64_t>(expected_revision));
    }
    v1::ConfigureBucketResponse reply;
    return client_.status_of(&Limiter::ConfigureBucket, request, reply);
  }

 private:
  static std::vector<std::string> flags(const std::string& redis_url, const std::string& id,
                                        std::vector<std::string> more) {
    more.insert(more.end(), {"--cluster", redis_url, "--node-id", id, "--advertise",
                             id + ".test:50051", "--drain", "0s"});
    return more;
  }

  std::string id_;
  ServingDripd dripd_;
  Client client_;
};

/// All nodes of a test, by index.
using ClusterNodes = std::vector<std::unique_ptr<ClusterNode>>;

inline ClusterNodes three_nodes(const std::string& redis_url) {
  ClusterNodes nodes;
  for (const char* const id : {"n1", "n2", "n3"}) {
    nodes.push_back(std::make_unique<ClusterNode>(redis_url, id));
  }
  return nodes;
}

/// The leader that all of them name, or empty.
inline std::string common_leader(const ClusterNodes& nodes) {
  const std::string leader = nodes.front()->leader();
  for (const auto& node : nodes) {
    if (node->leader() != leader) return "";
  }
  return leader;
}

inline bool all_have(const ClusterNodes& nodes, const std::string& bucket_id, double rate) {
  for (const auto& node : nodes) {
    if (node->rate(bucket_id) != rate) return false;
  }
  return true;
}

/// Takes the leader out of `nodes`.
inline std::unique_ptr<ClusterNode> take_leader(ClusterNodes& nodes, const std::string& leader) {
  for (auto each = nodes.begin(); each != nodes.end(); ++each) {
    if (leader.starts_with((*each)->id() + "@")) {
      std::unique_ptr<ClusterNode> taken = std::move(*each);
      nodes.erase(each);
      return taken;
    }
  }
  throw std::runtime_error("no node is the leader '" + leader + "'");
}

inline std::uint64_t epoch_of(const std::string& leader) {
  return std::stoull(leader.substr(leader.find('@') + 1));
}

}  // namespace drip
