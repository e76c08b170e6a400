// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/http_endpoint.h"

#include <utility>

#include "http/read_guard.h"
#include "metrics/exposition.h"

namespace drip::metrics {
namespace {

http::Response answer(const http::Request& request, Collector& collector) {
  if (request.path != "/metrics") {
    return {404, "text/plain", "metrics are at /metrics\n", {{"Cache-Control", "no-store"}}};
  }
  const TextFormat format = format_accepted(request.header("Accept"));
  return {200,
          std::string(content_type(format)),
          write_families(collector.collect(), format),
          {{"Cache-Control", "no-store"}}};
}

}  // namespace

http::Server::Handler metrics_handler(Collector& collector, const access::AccessControl* access) {
  http::Server::Handler handler = [&collector](const http::Request& request) {
    return answer(request, collector);
  };
  return access == nullptr ? handler : http::require_read(*access, std::move(handler));
}

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::start(
    const http::ListenAddress& address, Collector& collector, const access::AccessControl& access) {
  auto server =
      http::Server::start({address, "metrics", "2", "drip-metrics"},
                          metrics_handler(collector, address.is_loopback() ? &access : nullptr));
  if (!server.ok()) return server.status();
  return std::unique_ptr<HttpEndpoint>(new HttpEndpoint(*std::move(server)));
}

}  // namespace drip::metrics
