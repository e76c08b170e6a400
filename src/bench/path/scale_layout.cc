// SPDX-License-Identifier: BSD-3-Clause
// Emulates a NIC's choice of receive queues.
#include "bench/path/scale_layout.h"

namespace drip::bench {
namespace {

using Role = LcoreStats::Role;

// Of a bucket's address; the finalizer of MurmurHash3, as good as any NIC's.
std::uint32_t hash(std::uint32_t bucket) {
  bucket ^= bucket >> 16;
  bucket *= 0x85ebca6bU;
  bucket ^= bucket >> 13;
  bucket *= 0xc2b2ae35U;
  return bucket ^ bucket >> 16;
}

}  // namespace

std::vector<ScaleLayout> scale_layouts(unsigned cores) {
  const std::vector<Role> fused(cores, Role::kFused);
  std::vector<Role> split(cores / 2, Role::kWorker);
  split.resize(cores, Role::kTransmitter);
  return {{"one", {Role::kFused}},
          {"private", fused, Reception::kOwner},
          {"arbitrary", fused, Reception::kArbitrary},
          {"arbitrary, after the moves", fused, Reception::kArbitrary, true},
          {"wrong", fused, Reception::kWrong},
          {"shared", fused, Reception::kAll},
          {"worker + transmitter", split, Reception::kArbitrary}};
}

std::vector<std::vector<std::uint32_t>> received_by_core(const ScaleLayout& layout,
                                                         std::span<const BucketChange> buckets) {
  std::vector<std::uint32_t> receivers;
  for (std::uint32_t core = 0; core < layout.roles.size(); ++core) {
    if (layout.roles[core] != Role::kTransmitter) receivers.push_back(core);
  }
  const auto count = static_cast<std::uint32_t>(receivers.size());
  std::vector<std::vector<std::uint32_t>> received(layout.roles.size());
  for (std::uint32_t bucket = 0; bucket < buckets.size(); ++bucket) {
    const std::uint32_t owner = buckets[bucket].ref->transmitter;
    switch (layout.reception) {
      case Reception::kOwner:
        received[owner].push_back(bucket);
        break;
      case Reception::kArbitrary:
        received[receivers[hash(bucket) % count]].push_back(bucket);
        break;
      case Reception::kWrong:
        received[receivers[(owner + 1) % count]].push_back(bucket);
        break;
      case Reception::kAll:
        for (const std::uint32_t core : receivers) received[core].push_back(bucket);
        break;
    }
  }
  return received;
}

}  // namespace drip::bench
