// SPDX-License-Identifier: BSD-3-Clause
// Whether a history of concurrent operations could have happened one after the other.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace drip {

/// An operation on an object, as its caller saw it.
template <class Call>
struct Operation {
  using Clock = std::chrono::steady_clock;
  /// The caller never learned whether and when it happened.
  static constexpr Clock::time_point kNever = Clock::time_point::max();

  Call call;  ///< What was asked, and what was answered.
  Clock::time_point begin;
  Clock::time_point end = kNever;
  bool may_be_void = false;  ///< It may not have happened at all.
};

/// What check_linearizable() says.
struct Linearizability {
  bool holds = false;
  bool decided = true;  ///< False: there were too many orders to try them all.
  /// The longest order that was found, and what then could not come next.
  std::string explanation;
};

/// Herlihy and Wing, "Linearizability", ACM TOPLAS 12(3), 1990: each operation seems to take effect
/// at one moment between its begin and its end. The search is that of Wing and Gong ("Testing and
/// verifying concurrent objects", 1993), which remembers where it has been, as Lowe and
/// Porcupine do.
///
/// `Model` is the object with one caller: State, with operator<; Call;
/// `static std::optional<State> next(const State&, const Call&)`, none if the object in that state
/// does not answer so; and `static std::string text(const Call&)`.
template <class Model>
class LinearizabilityChecker {
 public:
  using State = typename Model::State;
  using Op = Operation<typename Model::Call>;

  explicit LinearizabilityChecker(std::vector<Op> history, State initial)
      : history_(std::move(history)), initial_(std::move(initial)) {
    std::ranges::sort(history_, {}, &Op::begin);
  }

  Linearizability check() {
    done_.assign(history_.size(), false);
    const bool found = search(initial_, history_.size());
    Linearizability result{found, found || steps_ < kMostSteps, {}};
    if (!found) result.explanation = explain();
    return result;
  }

 private:
  static constexpr std::size_t kMostSteps = 5'000'000;

  // Whether the `left` operations that are not done can be done from here on.
  bool search(const State& state, std::size_t left) {
    if (left == 0) return true;
    if (steps_++ >= kMostSteps) return false;
    if (!seen_.emplace(done_, state).second) return false;
    if (order_.size() > longest_.size() || longest_.empty()) {
      longest_ = order_;
      stuck_ = candidates();
    }
    for (const std::size_t next : candidates()) {
      const Op& op = history_[next];
      done_[next] = true;
      if (const auto after = Model::next(state, op.call)) {
        order_.push_back(next);
        if (search(*after, left - 1)) return true;
        order_.pop_back();
      }
      if (op.may_be_void && search(state, left - 1)) return true;
      done_[next] = false;
    }
    return false;
  }
  // Those that no other one has ended before.
  [[nodiscard]] std::vector<std::size_t> candidates() const {
    auto first_end = Op::kNever;
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < history_.size(); ++i) {
      if (done_[i]) continue;
      if (history_[i].begin > first_end) break;
      found.push_back(i);
      first_end = std::min(first_end, history_[i].end);
    }
    std::erase_if(found, [&](std::size_t i) { return history_[i].begin > first_end; });
    return found;
  }
  [[nodiscard]] std::string explain() const {
    std::string text = "after";
    const std::size_t from = longest_.size() > 12 ? longest_.size() - 12 : 0;
    if (from > 0) text += " " + std::to_string(from) + " others and";
    for (std::size_t i = from; i < longest_.size(); ++i) text += "\n  " + describe(longest_[i]);
    text += "\nnone of these can be next:";
    for (const std::size_t i : stuck_) text += "\n  " + describe(i);
    return text;
  }
  [[nodiscard]] std::string describe(std::size_t number) const {
    const Op& op = history_[number];
    const auto since = [&](typename Op::Clock::time_point at) {
      return std::to_string(
          std::chrono::duration_cast<std::chrono::microseconds>(at - history_.front().begin)
              .count());
    };
    return Model::text(op.call) + " from " + since(op.begin) + " us to " +
           (op.end == Op::kNever ? "an unknown time" : since(op.end) + " us") +
           (op.may_be_void ? ", if at all" : "");
  }

  std::vector<Op> history_;
  State initial_;
  std::vector<bool> done_;
  std::set<std::pair<std::vector<bool>, State>> seen_;
  std::vector<std::size_t> order_;
  std::vector<std::size_t> longest_;
  std::vector<std::size_t> stuck_;
  std::size_t steps_ = 0;
};

template <class Model>
Linearizability check_linearizable(std::vector<Operation<typename Model::Call>> history,
                                   typename Model::State initial) {
  return LinearizabilityChecker<Model>(std::move(history), std::move(initial)).check();
}

}  // namespace drip
