// SPDX-License-Identifier: BSD-3-Clause
// The file of contexts: servers under a name, with what it takes to reach them.
//
//     current = "prod"
//
//     [contexts.prod]
//     server = "drip.example.net:50051"
//     tls_ca = "/etc/drip/ca.crt"
//     token_file = "/etc/drip/token"
#pragma once

#include <map>
#include <string>

namespace drip::cli {

// All but `server` may be empty.
struct Context {
  std::string server;
  std::string tls_ca;
  std::string tls_cert;
  std::string tls_key;
  std::string tls_server_name;
  std::string token_file;
};

struct Contexts {
  std::string path;     // Of the file, whether it exists or not.
  std::string current;  // Empty: none.
  std::map<std::string, Context> by_name;
};

// $XDG_CONFIG_HOME/dripctl/config.toml, or ~/.config/dripctl/config.toml. Throws UsageError,
// `file:line:column: field: reason`, for a file with an error.
Contexts read_contexts();

// Makes a context the current one; everything else in the file stays as it is. Throws UsageError if
// the file cannot be written. REQUIRES: `contexts` has it.
void use_context(const Contexts& contexts, const std::string& name);

}  // namespace drip::cli
