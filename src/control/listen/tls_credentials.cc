// SPDX-License-Identifier: BSD-3-Clause
// gRPC's C interface has a callback that is asked for the certificate before each handshake; the
// C++ interface does not offer it.
#include "control/listen/tls_credentials.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/log.h>

#include <string>
#include <utility>

#include "base/mutex.h"

namespace drip::control {
namespace {

class TlsCredentials final : public grpc::ServerCredentials {
 public:
  TlsCredentials(std::shared_ptr<const access::TlsSource> source, bool client_must_show)
      : source_(std::move(source)), client_must_show_(client_must_show) {}

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>& /*processor*/) override {
    GPR_ASSERT(false);  // Callers are identified by control/rpc/calls/admitted.h.
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    const auto type = !source_->verifies_clients() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                      : client_must_show_
                          ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                          : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    grpc_server_credentials* const credentials = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(type, fetch, this));
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }

  static grpc_ssl_certificate_config_reload_status fetch(
      void* data, grpc_ssl_server_certificate_config** config) {
    TlsCredentials& self = *static_cast<TlsCredentials*>(data);
    const access::TlsMaterialRef material = self.source_->current();
    MutexLock lock(self.mutex_);
    if (material == self.fetched_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    const grpc_ssl_pem_key_cert_pair pair = {material->private_key.c_str(),
                                             material->cert_chain.c_str()};
    // gRPC 1.51 asserts that there are roots. Where no certificates of clients are asked for none
    // is checked against them.
    const std::string& roots =
        material->client_ca.empty() ? material->cert_chain : material->client_ca;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    self.fetched_ = material;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const std::shared_ptr<const access::TlsSource> source_;
  const bool client_must_show_;
  Mutex mutex_;
  access::TlsMaterialRef fetched_ ABSL_GUARDED_BY(mutex_);  // What the port uses.
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> tls_credentials(
    std::shared_ptr<const access::TlsSource> source, bool client_must_show) {
  return std::make_shared<TlsCredentials>(std::move(source), client_must_show);
}

}  // namespace drip::control
