// SPDX-License-Identifier: BSD-3-Clause
// A value, or what was wrong with the arguments.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace drip {

/// Names the field, the value that was given, and what is allowed.
struct Error {
  std::string message;
};

/// As std::expected<T, Error>, which C++20 does not have.
template <class T>
class [[nodiscard]] Result {
 public:
  // Implicit, so that a function returns either.
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return std::holds_alternative<T>(state_); }
  /// REQUIRES: ok().
  [[nodiscard]] const T& operator*() const {
    assert(ok());
    return *std::get_if<T>(&state_);
  }
  /// REQUIRES: !ok().
  [[nodiscard]] const std::string& error() const {
    assert(!ok());
    return std::get_if<Error>(&state_)->message;
  }

 private:
  std::variant<T, Error> state_;
};

}  // namespace drip
