// SPDX-License-Identifier: BSD-3-Clause
// What the engine tells of its ports, lcores, memory and clock, and the cluster, as protobuf.
#pragma once

#include <cstdint>

#include "control/model/cluster_view.h"
#include "drip/v1/rate_limiter.pb.h"
#include "drip/v1/shaper.pb.h"
#include "engine/engine.h"

namespace drip::control {

void write_port(const PortStats& reading, v1::Port& port);
void write_lcore(std::uint32_t index, const LcoreStats& reading, v1::Lcore& lcore);
void write_memory(const MemoryStats& reading, v1::Memory& memory);
void write_clock(const ClockStats& reading, v1::Clock& clock);
void write_leader(const ClusterLeader& leader, v1::GetLeaderResponse& response);
void write_shares(const BucketShares& shares, v1::BucketShares& message);
void write_cluster(const ClusterStatus& status, v1::GetClusterStatusResponse& response);

}  // namespace drip::control
