// SPDX-License-Identifier: BSD-3-Clause
// A history that several threads write.
#pragma once

#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "linearizability.h"

namespace drip {

/// What was done to several objects, each of which is checked for itself: a history is linearizable
/// if the parts of its objects are (Herlihy and Wing, theorem 1). Thread safe.
template <class Model>
class RecordedHistory {
 public:
  using Call = typename Model::Call;
  using Op = Operation<Call>;

  static typename Op::Clock::time_point now() { return Op::Clock::now(); }
  void add(const std::string& object, Op op) {
    const std::lock_guard lock(mutex_);
    objects_[object].push_back(std::move(op));
  }
  [[nodiscard]] std::map<std::string, std::vector<Op>> objects() const {
    const std::lock_guard lock(mutex_);
    return objects_;
  }
  /// `initial(object)`: its state before.
  template <class Initial>
  void expect_linearizable(Initial initial) const {
    std::size_t operations = 0;
    std::size_t unknown = 0;
    const auto objects = this->objects();
    for (const auto& [object, history] : objects) {
      operations += history.size();
      for (const Op& op : history) unknown += static_cast<std::size_t>(op.may_be_void);
      const Linearizability result = check_linearizable<Model>(history, initial(object));
      EXPECT_TRUE(result.decided) << object << ": too many orders";
      EXPECT_TRUE(result.holds) << object << ": " << result.explanation;
    }
    std::cout << operations << " operations on " << objects.size() << " objects, " << unknown
              << " of them without an answer\n";
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<Op>> objects_;
};

}  // namespace drip
