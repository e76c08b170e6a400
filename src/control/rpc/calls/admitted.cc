// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/calls/admitted.h"

#include <chrono>
#include <utility>

#include "base/text.h"
#include "control/origin/forwarded_origin.h"

namespace drip::control {
namespace {

// Whether who is seen by it has a name that others have not.
bool has_name(const access::Presented* presented) {
  return presented != nullptr &&
         (presented->authorization || presented->certificate || presented->uid);
}

TimePoint steady_now() {
  return {static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                         std::chrono::steady_clock::now().time_since_epoch())
                                         .count())};
}

}  // namespace

std::optional<CallOrigin> origin_of(const grpc::ServerContextBase& call, bool forwarded) {
  return forwarded ? forwarded_origin(call) : origin_of(call);
}

absl::StatusOr<Admitted> admit(const access::AccessControl& access, ClientTable& clients,
                               const access::MethodAccess& method, const CallOrigin& origin,
                               const grpc::ServerContextBase& call) {
  const TimePoint now = steady_now();
  Admitted admitted;
  admitted.method = &method;
  admitted.peer = origin.peer;
  if (access.is_controlled()) {
    admitted.presented = std::make_shared<const access::Presented>(presented_by(origin, call));
  }
  static const access::Presented nothing;
  absl::StatusOr<access::CallerRef> caller =
      access.identify(admitted.presented == nullptr ? nothing : *admitted.presented);
  admitted.client = clients.find(
      caller.ok() && has_name(admitted.presented.get()) ? (*caller)->name : address_of(origin.peer),
      now);
  if (absl::Status status = admitted.client->begin_call(now); !status.ok()) return status;
  if (!caller.ok()) {
    return absl::Status(caller.status().code(),
                        joined(method.method, " needs the role ", name_of(method.role), "; ",
                               message_of(caller.status())));
  }
  if (absl::Status status = check_may_call(**caller, method); !status.ok()) return status;
  admitted.caller = *std::move(caller);
  return admitted;
}

absl::Status check_still_admitted(const access::AccessControl& access, const Admitted& admitted) {
  if (admitted.presented == nullptr) return absl::OkStatus();
  const absl::StatusOr<access::CallerRef> caller = access.identify(*admitted.presented);
  if (!caller.ok()) return caller.status();
  if (**caller == *admitted.caller) return absl::OkStatus();
  return absl::PermissionDeniedError(
      joined("what ", (*caller)->name, " may do was changed; call again"));
}

}  // namespace drip::control
