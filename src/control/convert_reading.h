// SPDX-License-Identifier: BSD-3-Clause
// What the engine tells of its ports, lcores, memory and clock, and the cluster, as protobuf.
#pragma once

#include <cstdint>

#include "control/cluster_view.h"
#include "core/engine.h"
#include "drip/v1/rate_limiter.pb.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

void write_port(const PortReading& reading, v1::Port& port);
void write_lcore(std::uint32_t index, const LcoreReading& reading, v1::Lcore& lcore);
void write_memory(const MemoryReading& reading, v1::Memory& memory);
void write_clock(const ClockReading& reading, v1::Clock& clock);
void write_leader(const ClusterLeader& leader, v1::GetLeaderResponse& response);
void write_shares(const BucketShares& shares, v1::BucketShares& message);
void write_cluster(const ClusterStatus& status, v1::GetClusterStatusResponse& response);

}  // namespace drip::control
