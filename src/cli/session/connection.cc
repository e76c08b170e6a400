// SPDX-License-Identifier: BSD-3-Clause
// Opens the channel, and distinguishes an unreachable server from an error that a server returned.
#include "cli/session/connection.h"

#include <fmt/format.h>

#include "base/quantity.h"

namespace drip::cli {

std::optional<std::string> address_error(std::string_view address) {
  const std::string error =
      fmt::format("'{}' is no address; allowed: host:port or unix:PATH", address);
  if (address.starts_with("unix:")) {
    return address.size() > 5 ? std::nullopt : std::optional(error);
  }
  // gRPC accepts a host without a port and connects to port 443.
  const auto colon = address.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return error;
  // gRPC resolves http://HOST:PORT as the name of a host.
  if (address.find('/') != std::string_view::npos) return error;
  if (!parse_integer(address.substr(colon + 1), 1, 65535)) return error;
  return std::nullopt;
}

std::string_view code_name(grpc::StatusCode code) {
  static constexpr std::string_view kNames[] = {"OK",
                                                "CANCELLED",
                                                "UNKNOWN",
                                                "INVALID_ARGUMENT",
                                                "DEADLINE_EXCEEDED",
                                                "NOT_FOUND",
                                                "ALREADY_EXISTS",
                                                "PERMISSION_DENIED",
                                                "RESOURCE_EXHAUSTED",
                                                "FAILED_PRECONDITION",
                                                "ABORTED",
                                                "OUT_OF_RANGE",
                                                "UNIMPLEMENTED",
                                                "INTERNAL",
                                                "UNAVAILABLE",
                                                "DATA_LOSS",
                                                "UNAUTHENTICATED"};
  const auto index = static_cast<std::size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

void Connection::open() {
  if (channel_) return;
  endpoint_ = resolve(flags_);
  grpc::ChannelArguments arguments;
  // A page of 1000 buckets with histograms can exceed gRPC's default limit of 4 MB.
  arguments.SetMaxReceiveMessageSize(-1);
  // Without this gRPC would send calls to a dripd on this machine through the proxy of http_proxy.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!endpoint_.tls_server_name.empty()) {
    arguments.SetSslTargetNameOverride(endpoint_.tls_server_name);
  }
  channel_ = grpc::CreateCustomChannel(endpoint_.server, endpoint_.credentials, arguments);
  rate_limiter_ = v1::RateLimiterService::NewStub(channel_);
  shaper_ = v1::ShaperService::NewStub(channel_);
}

void Connection::authorize(grpc::ClientContext* context) const {
  if (endpoint_.token.empty()) return;
  context->AddMetadata("authorization", "Bearer " + endpoint_.token);
}

void Connection::set_deadline(grpc::ClientContext* context, Patience patience) const {
  const auto limit = timeout_ ? timeout_
                     : patience == Patience::kDefault
                         ? std::optional<std::chrono::nanoseconds>(kDefaultTimeout)
                         : std::nullopt;
  if (!limit) return;
  context->set_deadline(std::chrono::system_clock::now() +
                        std::chrono::duration_cast<std::chrono::system_clock::duration>(*limit));
}

void Connection::check(const grpc::Status& status) const {
  if (status.ok()) return;
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    throw CallError(
        {status.error_code(), "no answer from " + endpoint_.server + ": " + status.error_message()},
        false);
  }
  // If the host drops packets the call times out as a slow one does, but the channel is not ready.
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
      channel_->GetState(false) != GRPC_CHANNEL_READY) {
    throw CallError({status.error_code(), "no connection to " + endpoint_.server + " in time"},
                    false);
  }
  throw CallError(status, true);
}

}  // namespace drip::cli
