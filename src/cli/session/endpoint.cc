// SPDX-License-Identifier: BSD-3-Clause
#include "cli/session/endpoint.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

#include "cli/session/flags.h"

namespace drip::cli {
namespace {

constexpr const char* kDefaultServer = "127.0.0.1:50051";
// Where Debian has the CAs of the web.
constexpr const char* kSystemRoots = "/etc/ssl/certs/ca-certificates.crt";

std::string content_of(const char* what, const std::string& path) {
  errno = 0;
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file || text.empty()) {
    throw UsageError(fmt::format("{}: {}: {}", what, path,
                                 errno == 0 ? "is empty" : std::generic_category().message(errno)));
  }
  return text;
}

// Printable ASCII without blanks, the only text that a header can have; never shown.
std::string checked_token(const std::string& from, std::string token) {
  while (token.ends_with('\n') || token.ends_with('\r')) token.pop_back();
  const auto usable = [](char c) { return c > ' ' && c < 127; };
  if (token.empty() || !std::ranges::all_of(token, usable)) {
    throw UsageError(from + ": holds no token: one line without blanks is needed");
  }
  return token;
}

bool is_local(std::string_view server) {
  return server.starts_with("unix:") || server.starts_with("127.") ||
         server.starts_with("[::1]:") || server.starts_with("localhost:");
}

}  // namespace

std::optional<std::string> context_name(const EndpointFlags& flags, const Contexts& contexts) {
  if (flags.context) {
    if (contexts.by_name.contains(*flags.context)) return flags.context;
    std::string names;
    for (const auto& [name, context] : contexts.by_name) {
      names += (names.empty() ? "" : ", ") + name;
    }
    throw UsageError(fmt::format("--context: '{}' is not in {}; allowed: {}", *flags.context,
                                 contexts.path,
                                 names.empty() ? "none, it has no contexts" : names));
  }
  if (flags.server || contexts.current.empty()) return std::nullopt;
  return contexts.current;
}

Endpoint resolve(const EndpointFlags& flags) {
  Context context;
  // Where the server is given the file is not looked at, so that an error in it is in nobody's way.
  if (flags.context || !flags.server) {
    const Contexts contexts = read_contexts();
    if (const auto name = context_name(flags, contexts)) context = contexts.by_name.at(*name);
  }
  Endpoint endpoint;
  endpoint.server = flags.server.value_or(context.server.empty() ? kDefaultServer : context.server);
  const std::string ca = flags.tls_ca.value_or(context.tls_ca);
  const std::string cert = flags.tls_cert.value_or(context.tls_cert);
  const std::string key = flags.tls_key.value_or(context.tls_key);
  endpoint.tls_server_name = flags.tls_server_name.value_or(context.tls_server_name);
  const bool tls = flags.tls || !ca.empty() || !cert.empty() || !endpoint.tls_server_name.empty();
  if (tls) {
    if (cert.empty() != key.empty()) throw UsageError("--tls-cert and --tls-key go together");
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = content_of("--tls-ca", ca.empty() ? kSystemRoots : ca);
    if (!cert.empty()) {
      options.pem_cert_chain = content_of("--tls-cert", cert);
      options.pem_private_key = content_of("--tls-key", key);
    }
    endpoint.credentials = grpc::SslCredentials(options);
  } else {
    endpoint.credentials = grpc::InsecureChannelCredentials();
  }
  const char* const variable = std::getenv("DRIPCTL_TOKEN");
  if (flags.token_file) {
    endpoint.token =
        checked_token(*flags.token_file, content_of("--token-file", *flags.token_file));
  } else if (variable != nullptr && *variable != '\0') {
    endpoint.token = checked_token("DRIPCTL_TOKEN", variable);
  } else if (!context.token_file.empty()) {
    endpoint.token =
        checked_token(context.token_file, content_of("token_file", context.token_file));
  }
  if (!endpoint.token.empty() && !tls && !is_local(endpoint.server)) {
    throw UsageError(fmt::format(
        "the token would go to {} in plain text; give --tls or --tls-ca FILE", endpoint.server));
  }
  return endpoint;
}

}  // namespace drip::cli
