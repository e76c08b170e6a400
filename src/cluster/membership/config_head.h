// SPDX-License-Identifier: BSD-3-Clause
// The head of the cluster's configuration in Redis: its last revision and its state.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cluster/redis/reply_reader.h"

namespace drip::cluster {

struct ConfigHead {
  std::string dataset;         ///< Changes when Redis has lost its data.
  std::uint64_t revision = 0;  ///< Of the last change.
  std::string change_id;       ///< Unique to the last change.
  std::uint64_t floor = 0;     ///< The highest revision that a node has reported as applied.
  /// How long the data set has been recovering (configuration_scripts.h); negative if it is not.
  std::chrono::milliseconds recovering_for{-1};

  [[nodiscard]] bool recovering() const { return recovering_for.count() >= 0; }
};

/// Reads it from a script's reply.
[[nodiscard]] inline ConfigHead read_config_head(ReplyReader& reader) {
  ConfigHead head;
  head.dataset = reader.text();
  head.revision = reader.count();
  head.change_id = reader.text();
  head.floor = reader.count();
  head.recovering_for = std::chrono::milliseconds(reader.number());
  return head;
}

}  // namespace drip::cluster
