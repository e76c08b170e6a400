// SPDX-License-Identifier: BSD-3-Clause
// Converts statistics of ports, lcores, memory, clock and cluster to Protobuf.
#pragma once

#include <cstdint>

#include "control/model/cluster_view.h"
#include "control/model/epoch_clock.h"
#include "drip/v1/rate_limiter.pb.h"
#include "drip/v1/shaper.pb.h"
#include "engine/engine.h"

namespace drip::control {

void write_port(const PortStats& stats, v1::Port& port);
void write_lcore(std::uint32_t index, const LcoreStats& stats, v1::Lcore& lcore);
void write_memory(const MemoryStats& stats, v1::Memory& memory);
void write_clock(const ClockStats& stats, const EpochClock& epoch, v1::Clock& clock);
void write_leader(const ClusterLeader& leader, v1::GetLeaderResponse& response);
void write_shares(const BucketShares& shares, v1::BucketShares& message);
void write_cluster(const ClusterStatus& status, v1::GetClusterStatusResponse& response);

}  // namespace drip::control
