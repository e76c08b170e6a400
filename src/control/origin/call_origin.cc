// SPDX-License-Identifier: BSD-3-Clause
#include "control/origin/call_origin.h"

#include <grpc/grpc_security_constants.h>

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

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

}  // namespace

CallOrigin origin_of(const grpc::ServerContextBase& call) {
  CallOrigin origin;
  origin.peer = call.peer();
  const std::shared_ptr<const grpc::AuthContext> context = call.auth_context();
  if (context == nullptr) return origin;
  for (const std::string& type : values(*context, GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME)) {
    origin.is_tls = origin.is_tls || type == GRPC_SSL_TRANSPORT_SECURITY_TYPE;
  }
  if (!origin.is_tls) return origin;
  if (values(*context, GRPC_X509_PEM_CERT_PROPERTY_NAME).empty()) return origin;
  const std::vector<std::string> common_names = values(*context, GRPC_X509_CN_PROPERTY_NAME);
  access::CertificateNames names;
  if (!common_names.empty()) names.common_name = common_names.front();
  names.dns_names = values(*context, GRPC_PEER_DNS_PROPERTY_NAME);
  names.uris = values(*context, GRPC_PEER_URI_PROPERTY_NAME);
  origin.certificate = std::move(names);
  return origin;
}

access::Presented presented_by(const CallOrigin& origin, const grpc::ServerContextBase& call) {
  access::Presented presented;
  const auto [first, last] = call.client_metadata().equal_range("authorization");
  for (auto at = first; at != last; ++at) {
    // Two of them are no valid one: the text has no form that is known.
    std::string& text =
        presented.authorization.emplace(presented.authorization ? "more than one" : std::string());
    if (text.empty()) text.assign(at->second.data(), at->second.size());
  }
  presented.certificate = origin.certificate;
  presented.is_local = is_local(origin.peer);
  presented.is_private = origin.is_tls || presented.is_local;
  return presented;
}

}  // namespace drip::control
