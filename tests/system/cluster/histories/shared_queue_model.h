// SPDX-License-Identifier: BSD-3-Clause
// A queue of named requests with one caller, from which none departs by itself.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace drip {

/// AllowRequest, GetQueuedRequests, and the release of a request that waits.
template <std::size_t kCapacity>
struct SharedQueueModel {
  using State = std::vector<std::string>;  // Who waits, first to last.

  struct Call {
    enum class Kind { kAllow, kRelease, kList } kind = Kind::kAllow;
    std::string id;
    // Answers. Of an allow whose answer is not known: none.
    bool answered = true;
    bool allowed = false;
    bool duplicate = false;
    std::size_t position = 0;
    State listed;
  };

  static std::optional<State> next(const State& state, const Call& call) {
    switch (call.kind) {
      case Call::Kind::kAllow:
        return allow(state, call);
      case Call::Kind::kRelease:
        return release(state, call);
      case Call::Kind::kList:
        break;
    }
    if (call.listed != state) return std::nullopt;
    return state;
  }
  static std::string text(const Call& call) {
    switch (call.kind) {
      case Call::Kind::kAllow:
        return "allow(" + call.id + ") = " +
               (!call.answered ? std::string("no answer")
                : !call.allowed
                    ? std::string("full")
                    : std::to_string(call.position) + (call.duplicate ? ", a duplicate" : ""));
      case Call::Kind::kRelease:
        return "release(" + call.id + ")";
      case Call::Kind::kList:
        break;
    }
    std::string text = "list() =";
    for (const std::string& id : call.listed) text += " " + id;
    return text;
  }

 private:
  static std::size_t place_of(const State& state, const std::string& id) {
    for (std::size_t i = 0; i < state.size(); ++i) {
      if (state[i] == id) return i + 1;
    }
    return 0;
  }
  static std::optional<State> allow(const State& state, const Call& call) {
    const std::size_t place = place_of(state, call.id);
    const bool full = place == 0 && state.size() >= kCapacity;
    const std::size_t position = place != 0 ? place : full ? 0 : state.size() + 1;
    if (call.answered &&
        (call.allowed == full || call.duplicate != (place != 0) || call.position != position)) {
      return std::nullopt;
    }
    State after = state;
    if (place == 0 && !full) after.push_back(call.id);
    return after;
  }
  static std::optional<State> release(const State& state, const Call& call) {
    const std::size_t place = place_of(state, call.id);
    if (place == 0) return std::nullopt;
    State after = state;
    after.erase(after.begin() + static_cast<std::ptrdiff_t>(place - 1));
    return after;
  }
};

}  // namespace drip
