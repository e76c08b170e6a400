// SPDX-License-Identifier: BSD-3-Clause
// gRPC's credentials of a server whose certificate can be replaced while it runs.
#pragma once

#include <grpcpp/security/server_credentials.h>

#include <memory>

#include "access/tls_files.h"

namespace drip::control {

/// TLS 1.2 or later (gRPC's own limit). Each new connection uses what `source` has at that moment;
/// those that are open keep what they began with. Where `source` verifies clients, a connection
/// that shows a certificate which its CA did not sign is refused, and with `client_must_show` one
/// that shows none. For one port of one server, and outlives it.
///
/// Not grpc::experimental::FileWatcherCertificateProvider: that takes a new file as it is, and
/// where key and certificate do not fit no handshake succeeds any more (gRPC 1.51).
[[nodiscard]] std::shared_ptr<grpc::ServerCredentials> tls_credentials(
    std::shared_ptr<const access::TlsSource> source, bool client_must_show);

}  // namespace drip::control
