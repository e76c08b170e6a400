// SPDX-License-Identifier: BSD-3-Clause
// A certificate authority of the test's own, and certificates that it signs.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace drip {

struct CertificateRequest {
  std::string common_name;
  std::vector<std::string> names;  ///< "DNS:localhost", "IP:127.0.0.1", "URI:spiffe://a/b".
  long begins_in_seconds = -3600;
  long ends_in_seconds = 3600;
};

/// PEM.
struct IssuedCertificate {
  std::string certificate;
  std::string key;
};

/// Keys are on the curve P-256, which makes one in less than a millisecond.
class CertificateAuthority {
 public:
  explicit CertificateAuthority(const std::string& common_name);
  ~CertificateAuthority();
  CertificateAuthority(const CertificateAuthority&) = delete;
  CertificateAuthority& operator=(const CertificateAuthority&) = delete;

  [[nodiscard]] std::string certificate() const;
  [[nodiscard]] IssuedCertificate issue(const CertificateRequest& request) const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace drip
