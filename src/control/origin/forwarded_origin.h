// SPDX-License-Identifier: BSD-3-Clause
// The origin of a call that one process of the node passes on to another: as metadata, which only
// the socket between them carries.
#pragma once

#include <grpcpp/server_context.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "control/origin/call_origin.h"

namespace drip::control {

/// Whether the key is one of write_origin(). What a client sends under such a key is not passed on.
[[nodiscard]] bool is_of_origin(std::string_view key);

/// Calls `add` with each key and value.
void write_origin(const CallOrigin& origin,
                  const std::function<void(const std::string& key, const std::string& value)>& add);

/// As write_origin() wrote it; none if the call has no such metadata. REQUIRES: the call came by
/// the socket of a process that removes what clients send under these keys.
[[nodiscard]] std::optional<CallOrigin> forwarded_origin(const grpc::ServerContextBase& call);

}  // namespace drip::control
