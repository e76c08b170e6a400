// SPDX-License-Identifier: BSD-3-Clause
#include "netdev/link_tracker.h"

#include <array>

namespace drip::netdev {
namespace {

// A driver may begin again at 0, for example when its queues are set up anew.
void add(std::uint64_t& sum, std::uint64_t last, std::uint64_t now) {
  sum += now >= last ? now - last : now;
}

constexpr std::array kAll = {
    &LinkCounters::rx_packets, &LinkCounters::tx_packets, &LinkCounters::rx_bytes,
    &LinkCounters::tx_bytes,   &LinkCounters::rx_errors,  &LinkCounters::tx_errors,
    &LinkCounters::rx_dropped, &LinkCounters::tx_dropped, &LinkCounters::rx_missed};
static_assert(sizeof(LinkCounters) == kAll.size() * sizeof(std::uint64_t));

}  // namespace

void LinkTracker::observe_counters(const Link& link) {
  for (const auto counter : kAll) {
    add(counters_.*counter, link_.counters.*counter, link.counters.*counter);
  }
  link_.counters = link.counters;
}

bool LinkTracker::observe(const Link& link) {
  observe_counters(link);
  link_ = link;
  return observe_state(link);
}

bool LinkTracker::observe_gone() { return enter(LinkState::kGone); }

// A veth that is deleted has lost its peer by then, and with it what the peer counted for it
// (veth_get_stats64()), so that one counter may be less than before while another has grown.
bool LinkTracker::observe_gone(const Link& last) {
  for (const auto counter : kAll) {
    std::uint64_t& known = link_.counters.*counter;
    const std::uint64_t now = last.counters.*counter;
    if (now <= known) continue;
    counters_.*counter += now - known;
    known = now;
  }
  return observe_gone();
}

bool LinkTracker::follow(const Link& link) {
  link_ = link;
  return enter(state_of(link));
}

bool LinkTracker::enter(LinkState state) {
  if (state == state_) return false;
  state_ = state;
  ++changes_;
  return true;
}

}  // namespace drip::netdev
