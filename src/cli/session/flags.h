// SPDX-License-Identifier: BSD-3-Clause
// Adds flags that parse their text and set a field of a request, so that only the fields that were
// given are sent.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "base/errors.h"
#include "base/quantity.h"

namespace drip::cli {

// An error of the command line that is found only when the subcommand runs, such as in a file.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <typename T>
Parsed<T> not_allowed(std::string_view text, std::string_view allowed) {
  return Parsed<T>::failure(argument_error(text, allowed));
}

// Adds a flag whose text is passed to `parse`, which returns a Parsed<T>, and whose value is passed
// to `set`. `type` and `help` are for --help. A text that cannot be parsed is a usage error.
template <typename Parse, typename Set>
CLI::Option* add_parsed(CLI::App* app, const std::string& name, const std::string& type,
                        const std::string& help, Parse parse, Set set) {
  return app
      ->add_option_function<std::string>(
          name,
          [name, parse, set](const std::string& text) {
            const auto value = parse(text);
            if (!value) throw CLI::ValidationError(name, value.error());
            set(*value);
          },
          help)
      ->type_name(type);
}

// Adds a flag for a whole number of the field's type. The server checks the field's own range, so
// that it is written in one place.
template <typename Field, typename Set>
CLI::Option* add_whole(CLI::App* app, const std::string& name, const std::string& help, Set set) {
  return add_parsed(
      app, name, "N", help,
      [](std::string_view text) {
        constexpr auto kMost = static_cast<std::int64_t>(std::min<std::uint64_t>(
            std::numeric_limits<Field>::max(), std::numeric_limits<std::int64_t>::max()));
        return parse_integer(text, std::numeric_limits<Field>::min(), kMost);
      },
      [set](std::int64_t value) { set(static_cast<Field>(value)); });
}

// A word of a flag such as `--scope node|cluster`, and its value.
template <typename Value>
struct Choice {
  std::string_view word;
  Value value;
};

template <typename Value, std::size_t kCount>
Parsed<Value> parse_choice(std::string_view text, const Choice<Value> (&choices)[kCount]) {
  std::string allowed;
  const std::string word = absl::AsciiStrToLower(std::string(text));
  for (const Choice<Value>& choice : choices) {
    if (choice.word == word) return choice.value;
    allowed.append(allowed.empty() ? "" : ", ").append(choice.word);
  }
  return not_allowed<Value>(text, allowed);
}

// Adds --count, a whole number from 1.
inline void add_count(CLI::App* app, const std::string& help,
                      const std::shared_ptr<std::uint64_t>& count) {
  add_parsed(
      app, "--count", "N", help,
      [](std::string_view text) {
        return parse_integer(text, 1, std::numeric_limits<std::int64_t>::max());
      },
      [count](std::int64_t value) { *count = static_cast<std::uint64_t>(value); });
}

// Adds the required positional argument `bucket`, the bucket_id of the request.
template <typename Request>
void add_bucket_id(CLI::App* app, const std::shared_ptr<Request>& request) {
  app->add_option_function<std::string>(
         "bucket", [request](const std::string& id) { request->set_bucket_id(id); },
         "Name of the bucket")
      ->required();
}

}  // namespace drip::cli
