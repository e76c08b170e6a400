// SPDX-License-Identifier: BSD-3-Clause
#include "traffic/traffic_table.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace drip::traffic {
namespace {

// The same key for both directions; `direction` is which of them this packet has.
FlowKey connection_of(const FlowKey& flow, std::size_t& direction) {
  const bool swap =
      std::tie(flow.dst_address, flow.dst_port) < std::tie(flow.src_address, flow.src_port);
  direction = swap ? 1 : 0;
  FlowKey key = flow;
  if (swap) {
    std::swap(key.src_address, key.dst_address);
    std::swap(key.src_port, key.dst_port);
  }
  return key;
}

// Forgets the older half of those that are not established. So many are gone at once that whoever
// fills the table again and again costs little.
template <class Map>
void make_room(Map& map) {
  std::vector<TimePoint> times;
  for (const auto& [key, entry] : map) {
    if (entry->samples < TrafficTable::kEstablished) times.push_back(entry->last);
  }
  if (times.empty()) return;
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  absl::erase_if(map, [&](const auto& one) {
    return one.second->samples < TrafficTable::kEstablished && one.second->last <= *middle;
  });
}

}  // namespace

void TrafficTable::add(const PacketSample& sample, std::string_view bucket) {
  BucketTraffic* const traffic = find_or_make(bucket);
  if (traffic == nullptr) {
    ++refused_;
    return;
  }
  traffic->last = sample.at;
  ++traffic->samples;
  if (sample.stands_for > 0) {
    const std::uint64_t bytes = std::uint64_t{sample.frame_bytes} * sample.stands_for;
    traffic->flows.add(sample.flow, bytes, sample.at);
  }
  if (sample.is_tcp) add_segment(sample, bucket, *traffic);
}

void TrafficTable::add_segment(const PacketSample& sample, std::string_view bucket,
                               BucketTraffic& traffic) {
  std::size_t direction = 0;
  const FlowKey key = connection_of(sample.flow, direction);
  auto found = flows_.find(key);
  if (found == flows_.end()) {
    if (flows_.size() >= kMostFlows) make_room(flows_);
    if (flows_.size() >= kMostFlows) {
      ++refused_;
      return;
    }
    found = flows_.emplace(key, std::make_unique<Connection>()).first;
  }
  Connection& connection = *found->second;
  connection.last = sample.at;
  ++connection.samples;
  if (connection.buckets[direction] != bucket) connection.buckets[direction] = bucket;
  const TcpFlow::Finding finding = connection.flow.add(direction, sample.tcp, sample.at);
  traffic.segments += finding.takes_sequence ? 1 : 0;
  traffic.retransmitted_segments += finding.retransmitted ? 1 : 0;
  if (finding.round_trip) {
    // From here to the sender of this packet and back: it is the source of this one's bucket, and
    // the destination of that of the packets which it answers.
    const auto side = [](Side which) { return static_cast<std::size_t>(which); };
    traffic.round_trips[side(Side::kSource)].add(*finding.round_trip, sample.at);
    BucketTraffic* const answered = find(connection.buckets[1 - direction]);
    if (answered != nullptr) {
      answered->round_trips[side(Side::kDestination)].add(*finding.round_trip, sample.at);
    }
  }
}

BucketTraffic* TrafficTable::find_or_make(std::string_view bucket) {
  if (BucketTraffic* const traffic = find(bucket)) return traffic;
  if (buckets_.size() >= kMostBuckets) make_room(buckets_);
  if (buckets_.size() >= kMostBuckets) return nullptr;
  return buckets_.emplace(std::string(bucket), std::make_unique<BucketTraffic>())
      .first->second.get();
}

void TrafficTable::sweep(TimePoint now) {
  absl::erase_if(flows_, [&](const auto& flow) { return now - flow.second->last > kFlowIdle; });
  absl::erase_if(buckets_,
                 [&](const auto& bucket) { return now - bucket.second->last > kBucketIdle; });
}

}  // namespace drip::traffic
