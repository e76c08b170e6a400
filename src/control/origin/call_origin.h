// SPDX-License-Identifier: BSD-3-Clause
// Where a call comes from, and what its connection tells of the caller.
#pragma once

#include <grpcpp/server_context.h>

#include <optional>
#include <string>

#include "access/access_rule.h"
#include "access/access_table.h"

namespace drip::control {

struct CallOrigin {
  /// gRPC's name of the connection's other end: "ipv4:192.0.2.7:4711", "unix:".
  std::string peer;
  bool is_tls = false;
  /// Of the certificate that was shown and verified; none if there was none.
  std::optional<access::CertificateNames> certificate;

  friend bool operator==(const CallOrigin&, const CallOrigin&) = default;
};

/// What gRPC knows of the connection by which this call came.
[[nodiscard]] CallOrigin origin_of(const grpc::ServerContextBase& call);

/// With the token of the call's own metadata, if it has one.
[[nodiscard]] access::Presented presented_by(const CallOrigin& origin,
                                             const grpc::ServerContextBase& call);

}  // namespace drip::control
