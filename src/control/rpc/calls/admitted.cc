// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/calls/admitted.h"

#include <grpc/grpc_security_constants.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"

namespace drip::control {
namespace {

std::vector<std::string> values(const grpc::AuthContext& context, const char* property) {
  std::vector<std::string> texts;
  for (const grpc::string_ref& value : context.FindPropertyValues(property)) {
    texts.emplace_back(value.data(), value.size());
  }
  return texts;
}

// gRPC writes addresses of IPv6 as in a URI.
bool is_local(std::string_view peer) {
  return peer.starts_with("unix") || peer.starts_with("ipv4:127.") ||
         peer.starts_with("ipv6:[::1]") || peer.starts_with("ipv6:%5B::1%5D");
}

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

access::Presented presented_by(const grpc::ServerContextBase& call) {
  access::Presented presented;
  const auto [first, last] = call.client_metadata().equal_range("authorization");
  for (auto at = first; at != last; ++at) {
    // Two of them are no valid one: the text has no form that is known.
    std::string& text =
        presented.authorization.emplace(presented.authorization ? "more than one" : std::string());
    if (text.empty()) text.assign(at->second.data(), at->second.size());
  }
  const std::shared_ptr<const grpc::AuthContext> context = call.auth_context();
  bool is_tls = false;
  if (context != nullptr) {
    for (const std::string& type : values(*context, GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME)) {
      is_tls = is_tls || type == GRPC_SSL_TRANSPORT_SECURITY_TYPE;
    }
    if (is_tls) {
      const std::vector<std::string> common_names = values(*context, GRPC_X509_CN_PROPERTY_NAME);
      access::CertificateNames names;
      if (!common_names.empty()) names.common_name = common_names.front();
      names.dns_names = values(*context, GRPC_PEER_DNS_PROPERTY_NAME);
      names.uris = values(*context, GRPC_PEER_URI_PROPERTY_NAME);
      const bool shown = !values(*context, GRPC_X509_PEM_CERT_PROPERTY_NAME).empty();
      if (shown) presented.certificate = std::move(names);
    }
  }
  presented.is_local = is_local(call.peer());
  presented.is_private = is_tls || presented.is_local;
  return presented;
}

absl::StatusOr<Admitted> admit(const access::AccessControl& access, ClientTable& clients,
                               const access::MethodAccess& method,
                               const grpc::ServerContextBase& call) {
  const TimePoint now = steady_now();
  Admitted admitted;
  admitted.method = &method;
  if (access.is_controlled()) {
    admitted.presented = std::make_shared<const access::Presented>(presented_by(call));
  }
  static const access::Presented nothing;
  absl::StatusOr<access::CallerRef> caller =
      access.identify(admitted.presented == nullptr ? nothing : *admitted.presented);
  admitted.client = clients.find(
      caller.ok() && has_name(admitted.presented.get()) ? (*caller)->name : address_of(call.peer()),
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
