// SPDX-License-Identifier: BSD-3-Clause
#include "control/origin/forwarded_origin.h"

#include <utility>
#include <vector>

namespace drip::control {
namespace {

constexpr std::string_view kPrefix = "drip-origin-";
constexpr const char* kTls = "drip-origin-tls";
constexpr const char* kCertificate = "drip-origin-certificate";
// Names of a certificate are any bytes, and so is the path that a client gave its unix socket.
constexpr const char* kPeer = "drip-origin-peer-bin";
constexpr const char* kCommonName = "drip-origin-common-name-bin";
constexpr const char* kDnsName = "drip-origin-dns-name-bin";
constexpr const char* kUri = "drip-origin-uri-bin";
constexpr const char* kYes = "1";

std::vector<std::string> values(const grpc::ServerContextBase& call, const char* key) {
  std::vector<std::string> texts;
  const auto [first, last] = call.client_metadata().equal_range(key);
  for (auto at = first; at != last; ++at) texts.emplace_back(at->second.data(), at->second.size());
  return texts;
}

}  // namespace

bool is_of_origin(std::string_view key) { return key.starts_with(kPrefix); }

void write_origin(
    const CallOrigin& origin,
    const std::function<void(const std::string& key, const std::string& value)>& add) {
  add(kPeer, origin.peer);
  if (origin.is_tls) add(kTls, kYes);
  if (!origin.certificate) return;
  add(kCertificate, kYes);
  add(kCommonName, origin.certificate->common_name);
  for (const std::string& name : origin.certificate->dns_names) add(kDnsName, name);
  for (const std::string& uri : origin.certificate->uris) add(kUri, uri);
}

std::optional<CallOrigin> forwarded_origin(const grpc::ServerContextBase& call) {
  std::vector<std::string> peers = values(call, kPeer);
  // Two of them: somebody else has written one.
  if (peers.size() != 1) return std::nullopt;
  CallOrigin origin;
  origin.peer = std::move(peers.front());
  origin.is_tls = !values(call, kTls).empty();
  if (values(call, kCertificate).empty()) return origin;
  access::CertificateNames& names = origin.certificate.emplace();
  std::vector<std::string> common_names = values(call, kCommonName);
  if (!common_names.empty()) names.common_name = std::move(common_names.front());
  names.dns_names = values(call, kDnsName);
  names.uris = values(call, kUri);
  return origin;
}

}  // namespace drip::control
