// SPDX-License-Identifier: BSD-3-Clause
// Changes messages field by field, so that what a fuzzer makes is always a message.
#pragma once

#include <google/protobuf/message.h>

#include <random>
#include <span>
#include <string>
#include <string_view>

namespace drip::fuzz {

/// The same random numbers make the same changes. Not thread safe. What it is made of outlives it.
class MessageMutator {
 public:
  /// `texts` and `bytes`: what a field of the one or the other kind may get. A text is ASCII, as
  /// all texts that this makes.
  MessageMutator(std::mt19937& random, std::span<const std::string> texts,
                 std::span<const std::string> bytes)
      : random_(random), texts_(texts), bytes_(bytes) {}

  /// Changes one thing: a field gets a value, appears or disappears; an element of a list likewise;
  /// a message becomes a copy of another one of its type.
  void mutate(google::protobuf::Message& message);

 private:
  std::size_t below(std::size_t bound) { return random_() % bound; }

  void change_field(google::protobuf::Message& message,
                    const google::protobuf::FieldDescriptor& field);
  void change_list(google::protobuf::Message& message,
                   const google::protobuf::FieldDescriptor& field);
  // Sets a field that is no list, or adds an element to one.
  void put(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field);
  // Some of its fields.
  void fill(google::protobuf::Message& message, int depth);
  [[nodiscard]] std::uint64_t whole(std::uint64_t present);
  [[nodiscard]] double fraction(double present);
  [[nodiscard]] std::string text(const std::string& present, bool is_text);

  std::mt19937& random_;
  const std::span<const std::string> texts_;
  const std::span<const std::string> bytes_;
  int depth_ = 0;
};

}  // namespace drip::fuzz
