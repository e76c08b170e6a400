// SPDX-License-Identifier: BSD-3-Clause
// An engine for requests only: no ports, no packets.
#pragma once

#include "datapath/poll_engine/poll_thread.h"
#include "datapath/poll_engine/ports.h"

namespace drip::datapath {

class NoPorts final : public Ports {
 public:
  [[nodiscard]] std::uint16_t count() const override { return 0; }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }
  [[nodiscard]] std::vector<PortStats> read(std::span<const std::uint64_t>) const override {
    return {};
  }
  [[nodiscard]] std::uint64_t packets_for_buckets() const override { return 0; }
  [[nodiscard]] std::uint64_t packets() const override { return 0; }
  [[nodiscard]] std::uint64_t packets_free() const override { return 0; }
  [[nodiscard]] bool hugepages() const override { return false; }
  void thread_begins(std::uint32_t) override {}
  void thread_ends(std::uint32_t) override {}
};

/// For PollEngine: threads over NullIo.
PollThreadFactory portless_poll_threads();

}  // namespace drip::datapath
