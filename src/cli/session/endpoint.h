// SPDX-License-Identifier: BSD-3-Clause
// Which server dripctl talks to, and as whom: from flags, the environment and the current context.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "cli/session/contexts.h"

namespace drip::cli {

// What was given; each overrides the context's.
struct EndpointFlags {
  std::optional<std::string> context;  // --context, DRIPCTL_CONTEXT
  std::optional<std::string> server;   // --server, DRIPCTL_SERVER
  bool tls = false;
  std::optional<std::string> tls_ca, tls_cert, tls_key, tls_server_name;
  std::optional<std::string> token_file;
};

struct Endpoint {
  std::string server;
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  std::string tls_server_name;  // To be in the server's certificate; empty: that of `server`.
  std::string token;            // A secret: never to be shown. Empty: none.
};

// The context that applies by name, if any: --context, or the file's current one. Throws UsageError
// if there is none of that name.
std::optional<std::string> context_name(const EndpointFlags& flags, const Contexts& contexts);

// Reads the files that are named. With --server of a flag or the environment, nothing of the
// current context is used, so that its token goes to no other server; --context is taken together
// with
// --server. The token is that of --token-file, else DRIPCTL_TOKEN, else the context's. Throws
// UsageError; so it does for a token that would travel in plain text.
Endpoint resolve(const EndpointFlags& flags);

}  // namespace drip::cli
