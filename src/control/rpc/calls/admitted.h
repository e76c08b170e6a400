// SPDX-License-Identifier: BSD-3-Clause
// A call whose caller was identified and may make it.
#pragma once

#include <grpcpp/server_context.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "access/access_control.h"
#include "access/caller.h"
#include "access/methods.h"
#include "control/origin/call_origin.h"
#include "control/rpc/clients/client.h"
#include "control/rpc/clients/client_table.h"

namespace drip::control {

struct Admitted {
  access::CallerRef caller;
  ClientRef client;
  std::string peer;  ///< As in CallOrigin.
  /// What the caller presented, to look at again while a stream is open; null where access is not
  /// controlled.
  std::shared_ptr<const access::Presented> presented;
  const access::MethodAccess* method = nullptr;
};

/// Where the call comes from. `forwarded`: all calls come by a process that passes them on, and
/// says so; one without an origin has none here.
[[nodiscard]] std::optional<CallOrigin> origin_of(const grpc::ServerContextBase& call,
                                                  bool forwarded);

/// UNAUTHENTICATED or PERMISSION_DENIED: the text says who was seen and what is needed.
/// RESOURCE_EXHAUSTED naming the limit if the client makes too many calls: that is who calls, or
/// the address where access is not controlled, or the caller is not known.
[[nodiscard]] absl::StatusOr<Admitted> admit(const access::AccessControl& access,
                                             ClientTable& clients,
                                             const access::MethodAccess& method,
                                             const CallOrigin& origin,
                                             const grpc::ServerContextBase& call);

/// Whether an open stream of this call may go on: OK, or why not.
[[nodiscard]] absl::Status check_still_admitted(const access::AccessControl& access,
                                                const Admitted& admitted);

}  // namespace drip::control
