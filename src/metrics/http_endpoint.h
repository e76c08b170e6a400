// SPDX-License-Identifier: BSD-3-Clause
// Serves the metrics by HTTP, with civetweb, which prometheus-cpp uses as well.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "metrics/collector.h"

struct mg_context;

namespace drip::metrics {

/// Where metrics are served.
struct ListenAddress {
  std::string host = "127.0.0.1";  ///< An IPv4 or IPv6 address, without brackets.
  std::uint16_t port = 0;          ///< 0: any free one.

  /// 127.0.0.0/8 or ::1: nobody but this machine comes there.
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] std::string text() const;
};

/// Reads PORT (then the host is 127.0.0.1), ADDRESS:PORT or [IPV6]:PORT. A name is not taken, nor
/// is an empty host, so that nobody opens the endpoint to the world without saying so.
/// INVALID_ARGUMENT; the text begins with `field` and ": ".
[[nodiscard]] absl::StatusOr<ListenAddress> parse_listen_address(const std::string& field,
                                                                 const std::string& text);

/// `GET /metrics` until it is destroyed. Has three threads of its own, which inherit the CPUs of
/// the thread that calls start(). No authentication and no TLS.
class HttpEndpoint {
 public:
  /// UNAVAILABLE with the reason if the address cannot be bound. `collector` outlives the endpoint.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<HttpEndpoint>> start(
      const ListenAddress& address, Collector& collector);
  /// Waits for scrapes that are being answered.
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  /// As it was bound: "http://127.0.0.1:9464/metrics".
  [[nodiscard]] std::string url() const;

 private:
  explicit HttpEndpoint(ListenAddress address) : address_(std::move(address)) {}

  ListenAddress address_;
  mg_context* context_ = nullptr;
};

}  // namespace drip::metrics
