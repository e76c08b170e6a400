// SPDX-License-Identifier: BSD-3-Clause
// What a TCP segment says of its connection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "packet/headers.h"

namespace drip {

/// Fields of a TCP header (RFC 9293, section 3.1) in host byte order, and its Timestamps option
/// (RFC 7323, section 3.2).
struct TcpFields {
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;  ///< Valid with `ack`.
  std::uint32_t ts_value = 0;        ///< TSval, and what it echoes: valid with `timestamps`.
  std::uint32_t ts_echo = 0;
  /// What the segment takes of the sequence space: its bytes, and one each for SYN and FIN. By the
  /// IP header, so that padding does not count.
  std::uint32_t length = 0;
  bool ack = false;
  bool syn = false;
  bool fin = false;
  bool rst = false;
  bool timestamps = false;

  friend bool operator==(const TcpFields&, const TcpFields&) = default;
};

/// Of the packet whose `headers` were read from `bytes`, the first contiguous bytes of its frame.
/// None if it is not TCP over IP, a fragment, or cut or malformed. Reads nothing outside of
/// `bytes`. Thread safe.
[[nodiscard]] std::optional<TcpFields> read_tcp(std::span<const std::uint8_t> bytes,
                                                const Headers& headers);

}  // namespace drip
