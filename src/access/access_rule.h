// SPDX-License-Identifier: BSD-3-Clause
// Which role a certificate, or a process of this machine has: one entry of [[access]].
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/caller.h"
#include "access/role.h"

namespace drip::access {

/// The names of a client's certificate that was verified against the client CA.
struct CertificateNames {
  std::string common_name;             ///< Of the subject; empty: none.
  std::vector<std::string> dns_names;  ///< Subject alternative names.
  std::vector<std::string> uris;       ///< The same; a SPIFFE id is one.

  friend bool operator==(const CertificateNames&, const CertificateNames&) = default;
};

/// For errors: "certificate CN=ops, URI spiffe://example.org/ops".
[[nodiscard]] std::string text_of(const CertificateNames& names);

struct AccessRule {
  enum class Subject : std::uint8_t {
    kCommonName,
    kDnsName,
    kUri,    ///< A text that ends with "/*" is every URI that begins with what is before the "*".
    kUid,    ///< Of the process at the other end of a Unix socket.
    kLocal,  ///< Whoever comes by a Unix socket or loopback with no token and no certificate.
  };
  Subject subject = Subject::kLocal;
  std::string text;  ///< Of a certificate.
  uid_t uid = 0;
  Role role = Role::kRead;
  std::string prefix;  ///< As Caller::prefix.

  friend bool operator==(const AccessRule&, const AccessRule&) = default;
};

/// The first rule that fits; null if none does.
[[nodiscard]] const AccessRule* find_rule(const std::vector<AccessRule>& rules,
                                          const CertificateNames& names);
[[nodiscard]] const AccessRule* find_rule(const std::vector<AccessRule>& rules, uid_t uid);
[[nodiscard]] const AccessRule* find_local_rule(const std::vector<AccessRule>& rules);

}  // namespace drip::access
