// SPDX-License-Identifier: BSD-3-Clause
// From what a caller presents to who it is.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "access/access_rule.h"
#include "access/caller.h"
#include "access/token.h"

namespace drip::access {

/// What is known of a caller before it is looked up.
struct Presented {
  /// The call's `authorization` metadata, as it came.
  std::optional<std::string> authorization;
  /// Nobody else can read what the caller sends: TLS, a Unix socket, loopback.
  bool is_private = false;
  /// It is on this machine: a Unix socket or loopback.
  bool is_local = false;
  std::optional<CertificateNames> certificate;
  std::optional<uid_t> uid;
};

/// Immutable, so thread safe.
class AccessTable {
 public:
  /// `controlled`: false where no access is configured at all; then whoever can connect is admin.
  /// `certificates_are_admin`: each certificate that the client CA signed, unless `rules` has any.
  AccessTable(bool controlled, bool certificates_are_admin, std::vector<AccessRule> rules,
              std::shared_ptr<const TokenSet> tokens);

  /// A token decides alone if there is one; then the certificate, then the uid, then the rule for
  /// local callers. UNAUTHENTICATED if nothing is known of the caller, or its token is not valid;
  /// PERMISSION_DENIED for a certificate or a uid that no rule names.
  [[nodiscard]] absl::StatusOr<CallerRef> identify(const Presented& presented, TokenTime now) const;

  [[nodiscard]] const std::vector<AccessRule>& rules() const { return rules_; }
  [[nodiscard]] const std::shared_ptr<const TokenSet>& tokens() const { return tokens_; }

 private:
  const bool controlled_;
  const bool certificates_are_admin_;
  const std::vector<AccessRule> rules_;
  const std::shared_ptr<const TokenSet> tokens_;
  const CallerRef everyone_;  // Where nothing is controlled.
};

}  // namespace drip::access
