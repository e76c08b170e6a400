// SPDX-License-Identifier: BSD-3-Clause
// The connection to dripd: one channel, a deadline for each call, and an exception for errors.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "cli/session/endpoint.h"
#include "cli/session/progress.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"

namespace drip::cli {

// An error unless `address` is `host:port` or `unix:PATH`.
std::optional<std::string> address_error(std::string_view address);

// A call that did not end with OK.
class CallError : public std::runtime_error {
 public:
  CallError(const grpc::Status& status, bool server_reached)
      : std::runtime_error(status.error_message()),
        code_(status.error_code()),
        server_reached_(server_reached) {}

  grpc::StatusCode code() const { return code_; }
  // False if no server answered, and the error is the client's own.
  bool server_reached() const { return server_reached_; }

 private:
  grpc::StatusCode code_;
  bool server_reached_;
};

// The code's name as in gRPC's documentation: NOT_FOUND.
std::string_view code_name(grpc::StatusCode code);

// Not thread safe.
class Connection {
 public:
  // The deadline of a call without --timeout.
  enum class Patience {
    kDefault,    // kDefaultTimeout.
    kUnbounded,  // None, for a call that waits for an event.
  };
  static constexpr std::chrono::seconds kDefaultTimeout{10};

  // Does not open the channel yet, so that a subcommand can block signals before gRPC starts
  // threads, and commands that call no server need none. Calls throw UsageError if `flags` cannot
  // be followed.
  Connection(EndpointFlags flags, std::optional<std::chrono::nanoseconds> timeout)
      : flags_(std::move(flags)), timeout_(timeout) {}

  // Makes a unary call and returns its reply. Throws CallError unless the status is OK. One that
  // takes longer than a second is seen to on a terminal, unless it waits for an event.
  template <typename Stub, typename Request, typename Reply>
  Reply call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
             const Request& request, Patience patience = Patience::kDefault) {
    open();
    grpc::ClientContext context;
    authorize(&context);
    set_deadline(&context, patience);
    Reply reply;
    const std::optional<Progress> progress = progress_of(patience);
    check((stub(static_cast<Stub*>(nullptr)).*method)(&context, request, &reply));
    return reply;
  }

  // For a streaming call with `context`, which gets the token.
  v1::ShaperService::Stub& shaper(grpc::ClientContext* context) {
    open();
    authorize(context);
    return *shaper_;
  }
  v1::RateLimiterService::Stub& rate_limiter(grpc::ClientContext* context) {
    open();
    authorize(context);
    return *rate_limiter_;
  }
  void set_deadline(grpc::ClientContext* context, Patience patience) const;
  // Throws CallError unless `status` is OK.
  void check(const grpc::Status& status) const;

 private:
  v1::RateLimiterService::Stub& stub(v1::RateLimiterService::Stub*) { return *rate_limiter_; }
  v1::ShaperService::Stub& stub(v1::ShaperService::Stub*) { return *shaper_; }
  void open();
  static std::optional<Progress> progress_of(Patience patience) {
    if (patience != Patience::kDefault) return std::nullopt;
    return std::optional<Progress>(std::in_place, "dripd works on it");
  }
  void authorize(grpc::ClientContext* context) const;

  const EndpointFlags flags_;
  const std::optional<std::chrono::nanoseconds> timeout_;
  Endpoint endpoint_;  // Of the open channel.
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::RateLimiterService::Stub> rate_limiter_;
  std::unique_ptr<v1::ShaperService::Stub> shaper_;
};

using RateLimiter = v1::RateLimiterService::Stub;
using Shaper = v1::ShaperService::Stub;

}  // namespace drip::cli
