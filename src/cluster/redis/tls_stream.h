// SPDX-License-Identifier: BSD-3-Clause
// TLS over a byte stream: the client's side, with the peer's certificate always verified.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cluster/redis/byte_stream.h"

namespace drip::cluster {

struct TlsFiles {
  std::string ca;    ///< PEM of who may sign the peer's certificate; empty: the system's.
  std::string cert;  ///< PEM of our own, where the peer asks for one; empty: none.
  std::string key;   ///< PEM; with `cert`.
};

/// TLS 1.2 or newer; the certificate must be for `host`, a name or an address. INVALID_ARGUMENT
/// naming a file that cannot be used, UNAUTHENTICATED if the peer does not prove who it is.
[[nodiscard]] absl::StatusOr<std::unique_ptr<ByteStream>> connect_tls(
    std::unique_ptr<ByteStream> stream, const std::string& host, const TlsFiles& files,
    Deadline deadline);

}  // namespace drip::cluster
