// SPDX-License-Identifier: BSD-3-Clause
// A command to Redis and its reply.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace drip::cluster {

/// Name and arguments, each any bytes.
using RedisCommand = std::vector<std::string>;

struct RedisReply {
  struct Nil {};
  /// Its first word is a code: `ERR`, `NOSCRIPT`, `WRONGTYPE`.
  struct Error {
    std::string text;
  };
  using Array = std::vector<RedisReply>;

  /// A status such as OK is text like any other.
  std::variant<Nil, std::int64_t, std::string, Array, Error> value;

  [[nodiscard]] bool is_nil() const { return std::holds_alternative<Nil>(value); }
  // Null if the reply is of another kind.
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&value); }
  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&value); }
  [[nodiscard]] const Array* array() const { return std::get_if<Array>(&value); }
  [[nodiscard]] const Error* error() const { return std::get_if<Error>(&value); }
};

/// The error code of Drip's own scripts for a wrong epoch, revision or incarnation.
inline constexpr std::string_view kFencedCode = "FENCED";

/// OK unless the reply is an error; then by its code:
///
///     FENCED                                        FAILED_PRECONDITION
///     NOAUTH, WRONGPASS                             UNAUTHENTICATED
///     NOPERM, DENIED                                PERMISSION_DENIED
///     OOM                                           RESOURCE_EXHAUSTED
///     READONLY, NOREPLICAS, LOADING, MASTERDOWN, BUSY, UNKILLABLE, MISCONF, TRYAGAIN,
///     CLUSTERDOWN                                   UNAVAILABLE
///     MOVED, ASK, CROSSSLOT (of a Redis Cluster)    UNIMPLEMENTED
///     others                                        INTERNAL
///
/// A command's error inside of a script counts as the command's, though Redis up to 6.2 wraps it.
/// The message is Redis's own.
[[nodiscard]] absl::Status status_of(const RedisReply& reply);

/// Whether the server cannot serve at present, whoever asks and whatever for (UNAVAILABLE, and
/// RESOURCE_EXHAUSTED: it has no memory left). What else is refused is refused to one call.
[[nodiscard]] bool is_refused_to_all(const absl::Status& status);

/// Whether the error means that this server is not, or no longer, the master to write to.
[[nodiscard]] bool is_from_wrong_server(const RedisReply& reply);

}  // namespace drip::cluster
