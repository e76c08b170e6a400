// SPDX-License-Identifier: BSD-3-Clause
// Options whose text is parsed by base/quantity.h or the like and goes straight into a request, so
// that only what was given is sent.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "base/quantity.h"

namespace drip::cli {

// What is wrong with the command line but shows only when the verb runs, such as a file's content.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <typename T>
Parsed<T> not_allowed(std::string_view text, std::string_view allowed) {
  return Parsed<T>::failure(fmt::format("'{}' is not allowed; allowed: {}", text, allowed));
}

// `parse` gives a Parsed<T>; `set` takes the T. A text that cannot be parsed is a usage error.
template <typename Parse, typename Set>
CLI::Option* add_parsed(CLI::App* app, const std::string& name, const std::string& type,
                        const std::string& what, Parse parse, Set set) {
  return app
      ->add_option_function<std::string>(
          name,
          [name, parse, set](const std::string& text) {
            const auto value = parse(text);
            if (!value) throw CLI::ValidationError(name, value.error());
            set(*value);
          },
          what)
      ->type_name(type);
}

// A whole number of the field's type. Its narrower range is the server's to check and to name: one
// place knows it.
template <typename Field, typename Set>
CLI::Option* add_whole(CLI::App* app, const std::string& name, const std::string& what, Set set) {
  return add_parsed(
      app, name, "N", what,
      [](std::string_view text) {
        constexpr auto kMost = static_cast<std::int64_t>(std::min<std::uint64_t>(
            std::numeric_limits<Field>::max(), std::numeric_limits<std::int64_t>::max()));
        return parse_integer(text, std::numeric_limits<Field>::min(), kMost);
      },
      [set](std::int64_t value) { set(static_cast<Field>(value)); });
}

// One of a few words, each with the value it stands for.
template <typename Value>
struct Choice {
  std::string_view word;
  Value value;
};

template <typename Value, std::size_t kCount>
Parsed<Value> parse_choice(std::string_view text, const Choice<Value> (&choices)[kCount]) {
  std::string allowed;
  const std::string word = absl::AsciiStrToLower(std::string(text));  // As units are.
  for (const Choice<Value>& choice : choices) {
    if (choice.word == word) return choice.value;
    allowed.append(allowed.empty() ? "" : ", ").append(choice.word);
  }
  return not_allowed<Value>(text, allowed);
}

}  // namespace drip::cli
