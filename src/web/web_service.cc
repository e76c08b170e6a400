// SPDX-License-Identifier: BSD-3-Clause
#include "web/web_service.h"

#include <chrono>
#include <utility>

#include "base/log.h"
#include "http/read_guard.h"

namespace drip::web {
namespace {

// History::kSamples of these are ten minutes.
constexpr std::chrono::seconds kStep{2};

}  // namespace

WebService::WebService(const control::ServicesContext& context, bool loopback_only)
    : context_(context),
      loopback_only_(loopback_only),
      recorder_(context),
      responder_(context, recorder_, loopback_only) {
  // What the first rates are the difference from.
  recorder_.step();
  recording_ = std::make_unique<WorkThread>("drip-history", kStep, [this] { recorder_.step(); });
}

std::unique_ptr<WebService> WebService::record(const http::ListenAddress& address,
                                               const control::ServicesContext& context) {
  return std::unique_ptr<WebService>(new WebService(context, address.is_loopback()));
}

http::Server::Handler WebService::handler() const {
  http::Server::Handler handler = [this](const http::Request& request) {
    return responder_.answer(request);
  };
  return loopback_only_ ? http::require_read(context_.access, std::move(handler)) : handler;
}

absl::StatusOr<std::unique_ptr<WebService>> WebService::start(
    const http::ListenAddress& address, const control::ServicesContext& context) {
  std::unique_ptr<WebService> service = record(address, context);
  // A browser opens up to six connections, and some more that it may not use.
  auto server = http::Server::start({address, "web", "8", "drip-web"}, service->handler());
  if (!server.ok()) return server.status();
  service->server_ = *std::move(server);
  log_info("page at {}", service->url());
  if (!address.is_loopback()) {
    log_warning("web: {} is open to whoever reaches it: there is no authentication",
                address.text());
  }
  return service;
}

}  // namespace drip::web
