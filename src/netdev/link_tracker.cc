// SPDX-License-Identifier: BSD-3-Clause
#include "netdev/link_tracker.h"

namespace drip::netdev {
namespace {

// A driver may begin again at 0, for example when its queues are set up anew.
void add(std::uint64_t& sum, std::uint64_t last, std::uint64_t now) {
  sum += now >= last ? now - last : now;
}

}  // namespace

void LinkTracker::observe_counters(const Link& link) {
  const LinkCounters& last = link_.counters;
  const LinkCounters& now = link.counters;
  add(counters_.rx_packets, last.rx_packets, now.rx_packets);
  add(counters_.tx_packets, last.tx_packets, now.tx_packets);
  add(counters_.rx_bytes, last.rx_bytes, now.rx_bytes);
  add(counters_.tx_bytes, last.tx_bytes, now.tx_bytes);
  add(counters_.rx_errors, last.rx_errors, now.rx_errors);
  add(counters_.tx_errors, last.tx_errors, now.tx_errors);
  add(counters_.rx_dropped, last.rx_dropped, now.rx_dropped);
  add(counters_.tx_dropped, last.tx_dropped, now.tx_dropped);
  add(counters_.rx_missed, last.rx_missed, now.rx_missed);
  link_.counters = now;
}

bool LinkTracker::observe(const Link& link) {
  observe_counters(link);
  link_ = link;
  return observe_state(link);
}

bool LinkTracker::observe_gone() { return enter(LinkState::kGone); }

bool LinkTracker::observe_gone(const Link& last) {
  if (state_ != LinkState::kGone && last.counters.tx_packets >= link_.counters.tx_packets &&
      last.counters.rx_packets >= link_.counters.rx_packets) {
    observe_counters(last);
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
