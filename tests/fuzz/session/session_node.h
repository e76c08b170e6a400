// SPDX-License-Identifier: BSD-3-Clause
// A node on the fake engine, served in this process over a socket, for sessions one after another.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "control/server/node.h"
#include "control/support/fake_engine.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"
#include "fuzz/support/message_bytes.h"
#include "support/temporary_directory.h"

namespace drip::fuzz {

/// What calls have configured, as the API tells it. Messages are in their binary form, with every
/// field in its order.
struct ConfigSnapshot {
  struct Bucket {
    std::string config;
    std::uint64_t revision = 0;
    std::uint64_t backlog = 0;
    std::uint64_t capacity = 0;

    bool operator==(const Bucket& other) const {
      return config == other.config && revision == other.revision;
    }
  };
  std::map<std::string, Bucket> buckets;
  std::string rules;                         ///< In their order, with the default and the rest.
  std::map<std::string, std::string> lists;  ///< A prefix a line.
  std::uint64_t rules_revision = 0;

  bool operator==(const ConfigSnapshot&) const = default;
  [[nodiscard]] bool same_rules(const ConfigSnapshot& other) const {
    return rules == other.rules && lists == other.lists;
  }
};

/// Not thread safe.
class SessionNode {
 public:
  SessionNode();
  ~SessionNode();
  SessionNode(const SessionNode&) = delete;
  SessionNode& operator=(const SessionNode&) = delete;

  /// Empty as at the start, but for revisions. Ends the process if it does not get there.
  void clear();
  [[nodiscard]] ConfigSnapshot snapshot();

  /// Of all buckets that there were in any session.
  std::uint64_t highest_revision = 0;

  [[nodiscard]] control::FakeEngine& engine() { return engine_; }
  [[nodiscard]] v1::RateLimiterService::Stub& limiter() { return *limiter_; }
  [[nodiscard]] v1::ShaperService::Stub& shaper() { return *shaper_; }

 private:
  TemporaryDirectory directory_;
  control::FakeEngine engine_;
  std::unique_ptr<control::Node> node_;
  std::unique_ptr<v1::RateLimiterService::Stub> limiter_;
  std::unique_ptr<v1::ShaperService::Stub> shaper_;
};

}  // namespace drip::fuzz
