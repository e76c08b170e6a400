// SPDX-License-Identifier: BSD-3-Clause
// The metadata of a call, as it is passed on.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <string_view>

namespace drip::front {

/// Whether gRPC takes this as metadata of an application: it ends the process that sends anything
/// else, and what a client sends may be anything.
[[nodiscard]] bool is_valid_metadata(std::string_view key, std::string_view value);

/// What the client has sent, without what gRPC makes itself and without an origin that it claims;
/// then the origin as this connection has it.
void pass_on_request(const grpc::ServerContextBase& from, grpc::ClientContext& to);

/// The answer's metadata before its first message.
void pass_on_initial(const grpc::ClientContext& from, grpc::ServerContextBase& to);
/// Those after its last one. The details of an error are part of its status.
void pass_on_trailing(const grpc::ClientContext& from, grpc::ServerContextBase& to);

}  // namespace drip::front
