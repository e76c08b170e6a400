// SPDX-License-Identifier: BSD-3-Clause
#include "control/listen/listeners.h"

#include <utility>

#include "base/errors.h"
#include "control/listen/listen_address.h"

namespace drip::control {
namespace {

// Whoever reaches an open port of a shaper can let all traffic pass or stop it.
absl::Status check_exposure(const Exposure& exposure, const std::string& address, bool is_local,
                            bool with_tls) {
  if (is_local || exposure.insecure) return absl::OkStatus();
  if (!with_tls) {
    return not_allowed("listen", quoted(address),
                       "beyond this machine only with TLS (--tls-cert, --tls-key); --insecure "
                       "lets whoever reaches the address read and change everything");
  }
  if (!exposure.callers_are_known) {
    return not_allowed("listen", quoted(address),
                       "beyond this machine only where callers are known (--tls-client-ca or "
                       "--tokens); --insecure lets whoever reaches the address change everything");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Listeners> open_listeners(std::span<const std::string> addresses,
                                         const Exposure& exposure) {
  Listeners listeners;
  for (const std::string& text : addresses) {
    const absl::StatusOr<ListenAddress> address = parse_listen_address(text);
    if (!address.ok()) return address.status();
    absl::StatusOr<std::vector<ListenSocket>> bound = listen_on(*address);
    if (!bound.ok()) return bound.status();
    listeners.ports.push_back(bound->front().port());
    for (ListenSocket& socket : *bound) {
      const bool with_tls = exposure.with_tls && address->tls && !socket.is_unix();
      absl::Status status = check_exposure(exposure, text, socket.is_local(), with_tls);
      if (!status.ok()) return status;
      listeners.sockets.push_back({std::move(socket), with_tls});
    }
  }
  return listeners;
}

}  // namespace drip::control
