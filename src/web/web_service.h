// SPDX-License-Identifier: BSD-3-Clause
// The web page of a node as a whole: records, and serves what is recorded.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/work_thread.h"
#include "control/rpc/calls/services_context.h"
#include "http/listen_address.h"
#include "http/server.h"
#include "web/recorder.h"
#include "web/responder.h"

namespace drip::web {

/// Serves until it is destroyed. Its threads, one that records and nine that serve, inherit the
/// CPUs of the thread that calls start(). On the loopback interface it asks context.access who
/// may read; elsewhere everybody may. No TLS.
class WebService {
 public:
  /// UNAVAILABLE with the reason if the address cannot be bound. `context` outlives the service.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<WebService>> start(
      const http::ListenAddress& address, const control::ServicesContext& context);
  /// Only records; handler() is for a server at that address, which is somebody else's.
  [[nodiscard]] static std::unique_ptr<WebService> record(const http::ListenAddress& address,
                                                          const control::ServicesContext& context);
  /// As long as the service exists.
  [[nodiscard]] http::Server::Handler handler() const;
  WebService(const WebService&) = delete;
  WebService& operator=(const WebService&) = delete;

  /// As it was bound: "http://127.0.0.1:8080/".
  [[nodiscard]] std::string url() const { return server_->url() + "/"; }

 private:
  WebService(const control::ServicesContext& context, bool loopback_only);

  const control::ServicesContext& context_;
  const bool loopback_only_;
  Recorder recorder_;
  Responder responder_;
  std::unique_ptr<WorkThread> recording_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace drip::web
