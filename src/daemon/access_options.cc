// SPDX-License-Identifier: BSD-3-Clause
#include "daemon/access_options.h"

#include <optional>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "daemon/toml_section.h"
#include "fmt/format.h"

namespace drip::daemon {
namespace {

using Subject = access::AccessRule::Subject;

absl::StatusOr<access::Role> role_of(const toml::node& node, const std::string& field) {
  const auto name = text_of(node, field);
  if (!name.ok()) return name.status();
  const std::optional<access::Role> role = access::role_named(*name);
  if (!role) {
    return toml_error(node.source(), field, fmt::format("one of {} is needed", access::kRoleNames));
  }
  return *role;
}

absl::StatusOr<std::string> prefix_of(const toml::node& node, const std::string& field) {
  auto prefix = text_of(node, field);
  if (!prefix.ok()) return prefix.status();
  if (!check_name("", *prefix).ok()) {
    return toml_error(node.source(), field,
                      "the beginning of a bucket's name is needed: 1 to 128 of A-Z a-z 0-9 . _ : "
                      "/ @ -, the first a letter or a digit");
  }
  return prefix;
}

absl::StatusOr<access::AccessRule> read_rule(const toml::node& node, const std::string& name) {
  Section section(node, name);
  access::AccessRule rule;
  int subjects = 0;
  const auto text_subject = [&](const char* key, Subject subject) {
    section.with(key, [&](const toml::node& value, const std::string& field) -> absl::Status {
      auto text = text_of(value, field);
      if (!text.ok()) return text.status();
      if (text->empty()) return toml_error(value.source(), field, "a name is needed");
      rule.subject = subject;
      rule.text = *std::move(text);
      ++subjects;
      return absl::OkStatus();
    });
  };
  text_subject("common_name", Subject::kCommonName);
  text_subject("dns_name", Subject::kDnsName);
  text_subject("uri", Subject::kUri);
  section.with("local", [&](const toml::node& value, const std::string& field) -> absl::Status {
    if (!value.is_boolean() || !*value.value<bool>()) {
      return toml_error(value.source(), field, "true is needed");
    }
    rule.subject = Subject::kLocal;
    ++subjects;
    return absl::OkStatus();
  });
  bool has_role = false;
  section.with("role", [&](const toml::node& value, const std::string& field) -> absl::Status {
    const auto role = role_of(value, field);
    if (!role.ok()) return role.status();
    rule.role = *role;
    has_role = true;
    return absl::OkStatus();
  });
  section.value("prefix", rule.prefix, prefix_of);
  if (absl::Status status = section.finish(); !status.ok()) return status;
  if (subjects != 1) {
    return toml_error(node.source(), name,
                      "exactly one of common_name, dns_name, uri, local is needed");
  }
  if (!has_role) {
    return toml_error(node.source(), name + ".role",
                      fmt::format("missing: one of {}", access::kRoleNames));
  }
  return rule;
}

}  // namespace

absl::Status read_access(const toml::node& node, std::vector<access::AccessRule>& rules) {
  if (!node.is_array()) return toml_error(node.source(), "access", "a list is needed");
  std::vector<access::AccessRule> read;
  for (const toml::node& one : *node.as_array()) {
    auto rule = read_rule(one, fmt::format("access[{}]", read.size()));
    if (!rule.ok()) return rule.status();
    read.push_back(*std::move(rule));
  }
  rules = std::move(read);
  return absl::OkStatus();
}

absl::Status read_tls(const toml::node& node, access::TlsPaths& tls) {
  Section section(node, "tls");
  section.text("cert", tls.cert);
  section.text("key", tls.key);
  section.text("client_ca", tls.client_ca);
  return section.finish();
}

absl::Status check(const AccessOptions& options) {
  if (options.tls.cert.empty() != options.tls.key.empty()) {
    return absl::InvalidArgumentError("--tls-cert and --tls-key go together");
  }
  if (!options.tls.client_ca.empty() && options.tls.cert.empty()) {
    return absl::InvalidArgumentError("--tls-client-ca needs --tls-cert and --tls-key");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<access::AccessControl>> open_access(const AccessOptions& options) {
  auto opened =
      access::AccessControl::open({options.rules, options.tokens, !options.tls.client_ca.empty()});
  if (!opened.ok()) return opened.status();
  return std::shared_ptr<access::AccessControl>(*std::move(opened));
}

absl::StatusOr<std::shared_ptr<access::TlsFiles>> open_tls(const AccessOptions& options) {
  if (options.tls.cert.empty()) return nullptr;
  return access::TlsFiles::load(options.tls);
}

absl::StatusOr<std::shared_ptr<access::AuditLog>> open_audit_log(const AccessOptions& options) {
  if (options.audit_log.empty()) return nullptr;
  return access::AuditLog::open(options.audit_log);
}

std::vector<std::string> describe(const AccessOptions& options) {
  std::vector<std::string> lines;
  if (!options.tls.client_ca.empty() && options.rules.empty()) {
    lines.push_back(joined("access: every client with a certificate of ", options.tls.client_ca,
                           " is admin: no entry of access says otherwise"));
  }
  return lines;
}

}  // namespace drip::daemon
