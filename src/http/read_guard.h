// SPDX-License-Identifier: BSD-3-Clause
// Lets only those through who may read the node as a whole.
#pragma once

#include "access/access_control.h"
#include "http/server.h"

namespace drip::http {

/// A handler that asks `access` as the API does, and then `handler`. The token of a request is that
/// of `Authorization: Bearer TOKEN`, or the password of `Authorization: Basic`, which browsers ask
/// their users for; the name there is not looked at. Without one the caller is on this machine,
/// with what the rules give to those.
///
/// 401 with what is missing, and 403 for a caller that is kept to a prefix of bucket names, since
/// what is served is about all buckets. `access` outlives the handler. For servers on the loopback
/// interface, where nobody else hears a token. Thread safe.
[[nodiscard]] Server::Handler require_read(const access::AccessControl& access,
                                           Server::Handler handler);

}  // namespace drip::http
