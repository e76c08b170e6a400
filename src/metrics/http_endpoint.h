// SPDX-License-Identifier: BSD-3-Clause
// Serves the metrics by HTTP.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "access/access_control.h"
#include "http/listen_address.h"
#include "http/server.h"
#include "metrics/collector.h"

namespace drip::metrics {

/// Answers `GET /metrics`. `access`: who may read; null: everybody. Both outlive the handler.
[[nodiscard]] http::Server::Handler metrics_handler(Collector& collector,
                                                    const access::AccessControl* access);

/// `GET /metrics` until it is destroyed. Has three threads of its own, which inherit the CPUs of
/// the thread that calls start(). No TLS.
class HttpEndpoint {
 public:
  /// UNAVAILABLE with the reason if the address cannot be bound. `access`: who may read, on the
  /// loopback interface; elsewhere everybody may. It and `collector` outlive the endpoint.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<HttpEndpoint>> start(
      const http::ListenAddress& address, Collector& collector,
      const access::AccessControl& access);

  /// As it was bound: "http://127.0.0.1:9464/metrics".
  [[nodiscard]] std::string url() const { return server_->url() + "/metrics"; }

 private:
  explicit HttpEndpoint(std::unique_ptr<http::Server> server) : server_(std::move(server)) {}

  std::unique_ptr<http::Server> server_;
};

}  // namespace drip::metrics
