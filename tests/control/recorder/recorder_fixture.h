// SPDX-License-Identifier: BSD-3-Clause
// A node in virtual time whose buckets are recorded.
#pragma once

#include <string>
#include <utility>

#include "control/support/node_fixture.h"

namespace drip::control {

class RecorderFixture : public NodeFixture {
 protected:
  explicit RecorderFixture(NodeOptions options = default_options())
      : NodeFixture(std::move(options)) {}

  static constexpr Duration kStep{2'000'000'000};

  BucketRef ref(const std::string& id) { return node_->context().buckets.find(id)->ref(); }
  void offer(const std::string& id, int packets, std::uint32_t bytes = 1000) {
    for (int i = 0; i < packets; ++i) engine_.offer_packet(ref(id), bytes);
  }
  /// Lets a step pass and records it: in a BucketRecorder, or in what has one.
  template <class Recorder>
  void step(Recorder& recorder, Duration span = kStep) {
    engine_.advance(span);
    recorder.step();
  }
};

}  // namespace drip::control
