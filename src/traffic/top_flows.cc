// SPDX-License-Identifier: BSD-3-Clause
#include "traffic/top_flows.h"

#include <algorithm>
#include <functional>

namespace drip::traffic {

void TopFlows::add(const FlowKey& key, std::uint64_t bytes) {
  total_ += bytes;
  const std::span<Flow> used(flows_.data(), used_);
  if (const auto found = std::ranges::find(used, key, &Flow::key); found != used.end()) {
    found->bytes += bytes;
    return;
  }
  if (used_ < kFlows) {
    flows_[used_++] = {key, bytes, 0};
    return;
  }
  Flow& least = *std::ranges::min_element(used, {}, &Flow::bytes);
  least = {key, least.bytes + bytes, least.bytes};
}

std::vector<TopFlows::Flow> TopFlows::sorted() const {
  std::vector<Flow> flows(flows_.begin(), flows_.begin() + static_cast<std::ptrdiff_t>(used_));
  std::ranges::sort(flows, std::greater{}, &Flow::sure_bytes);
  return flows;
}

}  // namespace drip::traffic
