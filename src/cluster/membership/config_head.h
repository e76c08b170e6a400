// SPDX-License-Identifier: BSD-3-Clause
// Where the cluster's configuration stands in Redis.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cluster/redis/reply_reader.h"

namespace drip::cluster {

struct ConfigHead {
  std::string dataset;         ///< Another one after Redis lost its data.
  std::uint64_t revision = 0;  ///< Of the last change.
  std::string tip;             ///< Unique to the last change.
  std::uint64_t floor = 0;     ///< The highest revision that a node said it had applied.
  /// For how long the nodes have had time to say what they know; negative: the data is settled.
  std::chrono::milliseconds unsettled_for{-1};

  [[nodiscard]] bool settled() const { return unsettled_for.count() < 0; }
};

/// As the scripts answer it.
[[nodiscard]] inline ConfigHead read_config_head(ReplyReader& reader) {
  ConfigHead head;
  head.dataset = reader.text();
  head.revision = static_cast<std::uint64_t>(reader.number());
  head.tip = reader.text();
  head.floor = static_cast<std::uint64_t>(reader.number());
  head.unsettled_for = std::chrono::milliseconds(reader.number());
  return head;
}

}  // namespace drip::cluster
