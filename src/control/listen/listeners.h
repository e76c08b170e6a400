// SPDX-License-Identifier: BSD-3-Clause
// The sockets of all addresses to listen on.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/listen/listen_socket.h"

namespace drip::control {

/// Who may come in by addresses beyond this machine.
struct Exposure {
  bool with_tls = false;  ///< TCP addresses have TLS, unless one says tls=off.
  /// Callers show a certificate or a token.
  bool callers_are_known = false;
  bool insecure = false;  ///< Everything is allowed.
};

struct Listener {
  ListenSocket socket;
  bool with_tls = false;
};

struct Listeners {
  std::vector<Listener> sockets;
  std::vector<std::uint16_t> ports;  ///< In the order of the addresses; 0 for a Unix socket.
};

/// Errors are those of listen_on(); INVALID_ARGUMENT for an address beyond this machine without
/// TLS, or where no caller has an identity, unless `insecure` is set.
[[nodiscard]] absl::StatusOr<Listeners> open_listeners(std::span<const std::string> addresses,
                                                       const Exposure& exposure);

}  // namespace drip::control
