// SPDX-License-Identifier: BSD-3-Clause
// Follows the interface of one port: its state, how often that changed, and its counters.
#pragma once

#include <cstdint>

#include "netdev/link.h"

namespace drip::netdev {

enum class LinkState : std::uint8_t {
  kUp,
  kDown,  ///< No carrier, or `ip link set down`.
  kGone,  ///< There is no such interface any more, whether or not another of its name is there.
};

/// Belongs to one thread. Knows of an interface what it is told, and reads nothing itself.
class LinkTracker {
 public:
  /// The interface as it is when the port opens; its counters count from here.
  explicit LinkTracker(const Link& link) : link_(link), state_(state_of(link)) {}

  /// The interface is as `link` says. REQUIRES: link.index == index(). True if its state changed.
  bool observe(const Link& link);
  /// Its state alone: a report of a change may be older than what was read since.
  bool observe_state(const Link& link) {
    return state_ != LinkState::kGone && enter(state_of(link));
  }
  /// Its counters alone.
  void observe_counters(const Link& link);
  /// The interface has gone; true if that is new.
  bool observe_gone();
  /// The same, with its last counters. These may come after the end is known, twice, and older or
  /// less than what was read: each counter counts as far as it has grown.
  bool observe_gone(const Link& last);
  /// The port has opened again on another interface. True if the state changed.
  bool follow(const Link& link);

  [[nodiscard]] LinkState state() const { return state_; }
  [[nodiscard]] int index() const { return link_.index; }
  /// As it was observed last.
  [[nodiscard]] const Link& link() const { return link_; }
  /// How often it went up, down or away.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  /// Since the port opened, over all interfaces that it was on.
  [[nodiscard]] const LinkCounters& counters() const { return counters_; }

 private:
  static LinkState state_of(const Link& link) {
    return link.up() ? LinkState::kUp : LinkState::kDown;
  }
  bool enter(LinkState state);

  Link link_;
  LinkState state_;
  std::uint64_t changes_ = 0;
  LinkCounters counters_;
};

}  // namespace drip::netdev
