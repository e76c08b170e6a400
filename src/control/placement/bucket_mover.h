// SPDX-License-Identifier: BSD-3-Clause
// Moves buckets to the polling threads at which their packets come in.
#pragma once

#include <atomic>
#include <cstdint>

#include "control/config/configuration.h"
#include "control/placement/traffic_follower.h"
#include "engine/engine.h"

namespace drip::control {

/// Looks at the counters of the rules and moves what should be elsewhere. Does nothing on a node
/// with one polling thread, or with threads that receive only. One thread makes all calls but
/// stop().
class BucketMover {
 public:
  /// Both outlive it.
  BucketMover(Engine& engine, Configuration& configuration)
      : engine_(engine),
        configuration_(configuration),
        placement_(TransmitterMap::of(engine.lcores())) {}

  /// To be called once a second. No configuration changes meanwhile. Returns how many moved.
  std::uint32_t follow();
  /// Any thread: no bucket moves any more when it returns.
  void stop();

 private:
  Engine& engine_;
  Configuration& configuration_;
  const TransmitterMap placement_;
  TrafficFollower follower_;
  std::atomic<bool> stopped_{false};
};

}  // namespace drip::control
