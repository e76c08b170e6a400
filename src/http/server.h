// SPDX-License-Identifier: BSD-3-Clause
// A server that answers GET and HEAD, with civetweb, which prometheus-cpp uses as well.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "http/listen_address.h"

struct mg_context;

namespace drip::http {

/// Valid while it is being answered.
struct Request {
  std::string_view path;   ///< Decoded, without "." and "..".
  std::string_view query;  ///< What follows the '?', as it was sent.
  std::vector<std::pair<std::string_view, std::string_view>> headers;

  /// Names of headers are compared without case; empty if there is no such header.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

struct Response {
  int code = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< Beside type and length.
};

/// Serves until it is destroyed. No authentication, no TLS, no files, and each connection is closed
/// after its response.
class Server {
 public:
  struct Settings {
    ListenAddress address;
    std::string name;     ///< What errors begin with: "metrics".
    std::string threads;  ///< How many answer at one time: "2".
    std::string thread_name;
  };
  /// Called by several threads at one time; what it throws ends the process.
  using Handler = std::function<Response(const Request&)>;

  /// UNAVAILABLE with the reason if the address cannot be bound. The server's threads inherit the
  /// CPUs of the thread that calls start().
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Server>> start(Settings settings,
                                                                     Handler handler);
  /// Waits for requests that are being answered.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// As it was bound: "http://127.0.0.1:9464".
  [[nodiscard]] std::uint16_t port() const { return settings_.address.port; }
  [[nodiscard]] std::string url() const { return "http://" + settings_.address.text(); }

 private:
  struct Callbacks;
  [[nodiscard]] std::string first_message() const {
    MutexLock lock(mutex_);
    return first_message_;
  }
  Server(Settings settings, Handler handler)
      : settings_(std::move(settings)), handler_(std::move(handler)) {}

  Settings settings_;
  Handler handler_;
  mutable Mutex mutex_;
  mutable std::string first_message_ ABSL_GUARDED_BY(mutex_);  // Of civetweb's log.
  mg_context* context_ = nullptr;
};

}  // namespace drip::http
