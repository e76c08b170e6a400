// SPDX-License-Identifier: BSD-3-Clause
#include "http/server.h"

#include <civetweb.h>

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "base/thread.h"
#include "fmt/format.h"

namespace drip::http {
namespace {

void send(mg_connection* connection, const Response& response, bool with_body) {
  std::string head;
  fmt::format_to(std::back_inserter(head),
                 "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n", response.code,
                 mg_get_response_code_text(connection, response.code), response.type,
                 response.body.size());
  for (const auto& [name, value] : response.headers) {
    fmt::format_to(std::back_inserter(head), "{}: {}\r\n", name, value);
  }
  head += "Connection: close\r\n\r\n";
  mg_write(connection, head.data(), head.size());
  if (with_body) mg_write(connection, response.body.data(), response.body.size());
}

}  // namespace

std::string_view Request::header(std::string_view name) const {
  for (const auto& [its_name, value] : headers) {
    if (std::ranges::equal(its_name, name, {}, absl::ascii_tolower, absl::ascii_tolower))
      return value;
  }
  return {};
}

// What civetweb calls; the user data of its context is the server.
struct Server::Callbacks {
  static const Server& server_of(const mg_context* context) {
    return *static_cast<const Server*>(mg_get_user_data(context));
  }

  // The first one is why the server could not be started; later ones are of single connections.
  static int keep_message(const mg_connection* connection, const char* message) {
    const Server& server = server_of(mg_get_context(connection));
    MutexLock lock(server.mutex_);
    if (server.first_message_.empty()) server.first_message_ = message;
    return 1;
  }

  static void* name_thread(const mg_context* context, int /*type*/) {
    name_this_thread(server_of(context).settings_.thread_name);
    return nullptr;
  }

  static int answer(mg_connection* connection, void* data) {
    const auto& server = *static_cast<const Server*>(data);
    const mg_request_info& info = *mg_get_request_info(connection);
    const std::string_view method = info.request_method;
    Response response;
    if (method != "GET" && method != "HEAD") {
      response = {405, "text/plain", "GET or HEAD\n", {{"Allow", "GET, HEAD"}}};
    } else {
      Request request{info.local_uri, info.query_string != nullptr ? info.query_string : "", {}};
      for (int i = 0; i < info.num_headers; ++i) {
        request.headers.emplace_back(info.http_headers[i].name, info.http_headers[i].value);
      }
      response = server.handler_(request);
    }
    send(connection, response, method != "HEAD");
    return response.code;
  }
};

absl::StatusOr<std::unique_ptr<Server>> Server::start(Settings settings, Handler handler) {
  static const unsigned initialised = mg_init_library(0);
  (void)initialised;
  std::unique_ptr<Server> server(new Server(std::move(settings), std::move(handler)));
  const std::string listen = server->settings_.address.text();
  // Without the two of CORS civetweb answers a preflight by itself, and allows everything.
  const char* options[] = {"listening_ports",
                           listen.c_str(),
                           "num_threads",
                           server->settings_.threads.c_str(),
                           "request_timeout_ms",
                           "10000",
                           "access_control_allow_origin",
                           "",
                           "access_control_allow_methods",
                           "",
                           nullptr};
  mg_callbacks callbacks{};
  callbacks.log_message = Callbacks::keep_message;
  callbacks.init_thread = Callbacks::name_thread;
  mg_init_data init{&callbacks, server.get(), options};
  char text[256] = {};
  unsigned code = 0;
  mg_error_data why{&code, text, sizeof text};
  server->context_ = mg_start2(&init, &why);
  if (server->context_ == nullptr) {
    const std::string message = server->first_message();
    return absl::UnavailableError(fmt::format("{}: {}: {}", server->settings_.name, listen,
                                              message.empty() ? text : message.c_str()));
  }
  mg_server_port bound{};
  if (mg_get_server_ports(server->context_, 1, &bound) == 1) {
    server->settings_.address.port = static_cast<std::uint16_t>(bound.port);
  }
  mg_set_request_handler(server->context_, "/", Callbacks::answer, server.get());
  return server;
}

Server::~Server() {
  if (context_ != nullptr) mg_stop(context_);
}

}  // namespace drip::http
