// SPDX-License-Identifier: BSD-3-Clause
// Has requests by HTTP answered by the process with the data path.
#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "http/server.h"

namespace drip::front {

/// A handler for the server `name`. Passes on path, query and the headers that answers depend on.
/// 503 if there is no answer within 30 seconds. Thread safe.
[[nodiscard]] http::Server::Handler forwarding_handler(std::shared_ptr<grpc::Channel> channel,
                                                       const std::string& name);

}  // namespace drip::front
