// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/http_endpoint.h"

#include <arpa/inet.h>
#include <civetweb.h>

#include <cstring>
#include <optional>
#include <string_view>

#include "base/errors.h"
#include "base/quantity.h"
#include "base/thread.h"
#include "fmt/format.h"
#include "metrics/exposition.h"

namespace drip::metrics {
namespace {

constexpr const char* kAllowed =
    "PORT (on 127.0.0.1), ADDRESS:PORT or [IPV6]:PORT, with a port from 0 to 65535";

bool is_ipv6(const std::string& host) { return host.find(':') != std::string::npos; }

bool is_address(const std::string& host) {
  in6_addr bytes{};
  return inet_pton(is_ipv6(host) ? AF_INET6 : AF_INET, host.c_str(), &bytes) == 1;
}

// What a caller of mg_start2() is told.
struct StartError {
  std::string text;
};

int keep_message(const mg_connection* connection, const char* message) {
  auto* const error = static_cast<StartError*>(mg_get_user_data(mg_get_context(connection)));
  if (error != nullptr && error->text.empty()) error->text = message;
  return 1;
}

void* name_thread(const mg_context* /*context*/, int /*type*/) {
  name_this_thread("drip-metrics");
  return nullptr;
}

void answer(mg_connection* connection, int code, const char* reason, std::string_view type,
            std::string_view body, bool with_body) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %.*s\r\nContent-Length: %zu\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            code, reason, static_cast<int>(type.size()), type.data(), body.size());
  if (with_body) mg_write(connection, body.data(), body.size());
}

int serve_metrics(mg_connection* connection, void* collector) {
  const std::string_view method = mg_get_request_info(connection)->request_method;
  if (method != "GET" && method != "HEAD") {
    answer(connection, 405, "Method Not Allowed", "text/plain", "GET or HEAD\n", true);
    return 405;
  }
  const char* const accept = mg_get_header(connection, "Accept");
  const TextFormat format = format_accepted(accept == nullptr ? "" : accept);
  const std::string text = write_families(static_cast<Collector*>(collector)->collect(), format);
  answer(connection, 200, "OK", content_type(format), text, method == "GET");
  return 200;
}

int serve_nothing(mg_connection* connection, void* /*unused*/) {
  answer(connection, 404, "Not Found", "text/plain", "metrics are at /metrics\n", true);
  return 404;
}

}  // namespace

bool ListenAddress::is_loopback() const { return host == "::1" || host.starts_with("127."); }

std::string ListenAddress::text() const {
  return is_ipv6(host) ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

absl::StatusOr<ListenAddress> parse_listen_address(const std::string& field,
                                                   const std::string& text) {
  ListenAddress address;
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos) {
    address.host = text.substr(0, colon);
    const bool brackets =
        address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']';
    if (brackets) address.host = address.host.substr(1, address.host.size() - 2);
    if (brackets != is_ipv6(address.host) || !is_address(address.host)) {
      return not_allowed(field, quoted(text), kAllowed);
    }
  }
  const auto port =
      parse_integer(text.substr(colon == std::string::npos ? 0 : colon + 1), 0, 65535);
  if (!port) return not_allowed(field, quoted(text), kAllowed);
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

absl::StatusOr<std::unique_ptr<HttpEndpoint>> HttpEndpoint::start(const ListenAddress& address,
                                                                  Collector& collector) {
  static const unsigned initialised = mg_init_library(0);
  (void)initialised;
  std::unique_ptr<HttpEndpoint> endpoint(new HttpEndpoint(address));
  const std::string listen = address.text();
  const char* options[] = {"listening_ports",    listen.c_str(), "num_threads", "2",
                           "request_timeout_ms", "10000",        nullptr};
  mg_callbacks callbacks{};
  callbacks.log_message = keep_message;
  callbacks.init_thread = name_thread;
  StartError error;
  mg_init_data init{&callbacks, &error, options};
  char text[256] = {};
  unsigned code = 0;
  mg_error_data why{&code, text, sizeof text};
  endpoint->context_ = mg_start2(&init, &why);
  if (endpoint->context_ == nullptr) {
    return absl::UnavailableError(
        fmt::format("metrics: {}: {}", listen, error.text.empty() ? text : error.text.c_str()));
  }
  mg_server_port bound{};
  if (mg_get_server_ports(endpoint->context_, 1, &bound) == 1) {
    endpoint->address_.port = static_cast<std::uint16_t>(bound.port);
  }
  mg_set_request_handler(endpoint->context_, "/metrics$", serve_metrics, &collector);
  mg_set_request_handler(endpoint->context_, "/", serve_nothing, nullptr);
  return endpoint;
}

HttpEndpoint::~HttpEndpoint() {
  if (context_ != nullptr) mg_stop(context_);
}

std::string HttpEndpoint::url() const { return "http://" + address_.text() + "/metrics"; }

}  // namespace drip::metrics
