// SPDX-License-Identifier: BSD-3-Clause
// Who may use the API: TLS, tokens, and the [[access]] entries of the file.
#pragma once

#include <toml++/toml.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "access/access_control.h"
#include "access/access_rule.h"
#include "access/audit/audit_log.h"
#include "access/tls_files.h"

namespace drip::daemon {

struct AccessOptions {
  access::TlsPaths tls;
  std::string tokens;  ///< The path of the token file; empty: there are no tokens.
  bool insecure = false;
  std::string audit_log;  ///< The path of the audit log; empty: there is none.
  std::vector<access::AccessRule> rules;
};

/// [[access]] and [tls]. Errors are those of toml_error().
[[nodiscard]] absl::Status read_access(const toml::node& node,
                                       std::vector<access::AccessRule>& rules);
[[nodiscard]] absl::Status read_tls(const toml::node& node, access::TlsPaths& tls);

/// INVALID_ARGUMENT unless the options fit together.
[[nodiscard]] absl::Status check(const AccessOptions& options);

/// What the options name, read for the first time.
[[nodiscard]] absl::StatusOr<std::shared_ptr<access::AccessControl>> open_access(
    const AccessOptions& options);
/// Null without TLS.
[[nodiscard]] absl::StatusOr<std::shared_ptr<access::TlsFiles>> open_tls(
    const AccessOptions& options);
/// Null without an audit log.
[[nodiscard]] absl::StatusOr<std::shared_ptr<access::AuditLog>> open_audit_log(
    const AccessOptions& options);
/// What the log says of it at the start: one sentence each.
[[nodiscard]] std::vector<std::string> describe(const AccessOptions& options);

}  // namespace drip::daemon
