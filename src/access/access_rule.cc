// SPDX-License-Identifier: BSD-3-Clause
#include "access/access_rule.h"

#include <algorithm>

#include "base/text.h"

namespace drip::access {
namespace {

using Subject = AccessRule::Subject;

bool fits_uri(std::string_view pattern, std::string_view uri) {
  if (!pattern.ends_with("/*")) return pattern == uri;
  return uri.starts_with(pattern.substr(0, pattern.size() - 1));
}

bool fits(const AccessRule& rule, const CertificateNames& names) {
  switch (rule.subject) {
    case Subject::kCommonName:
      return !names.common_name.empty() && names.common_name == rule.text;
    case Subject::kDnsName:
      return std::ranges::find(names.dns_names, rule.text) != names.dns_names.end();
    case Subject::kUri:
      return std::ranges::any_of(names.uris,
                                 [&](const std::string& uri) { return fits_uri(rule.text, uri); });
    case Subject::kUid:
    case Subject::kLocal:
      return false;
  }
  return false;
}

template <class Fits>
const AccessRule* first(const std::vector<AccessRule>& rules, Fits fits) {
  const auto found = std::ranges::find_if(rules, fits);
  return found == rules.end() ? nullptr : &*found;
}

}  // namespace

std::string text_of(const CertificateNames& names) {
  std::string text = "certificate";
  const char* separator = " ";
  const auto add = [&](std::string_view kind, std::string_view name) {
    text += joined(separator, kind, name);
    separator = ", ";
  };
  if (!names.common_name.empty()) add("CN=", names.common_name);
  for (const std::string& name : names.dns_names) add("DNS ", name);
  for (const std::string& uri : names.uris) add("URI ", uri);
  return text;
}

const AccessRule* find_rule(const std::vector<AccessRule>& rules, const CertificateNames& names) {
  return first(rules, [&](const AccessRule& rule) { return fits(rule, names); });
}

const AccessRule* find_rule(const std::vector<AccessRule>& rules, uid_t uid) {
  return first(rules, [&](const AccessRule& rule) {
    return rule.subject == Subject::kUid && rule.uid == uid;
  });
}

const AccessRule* find_local_rule(const std::vector<AccessRule>& rules) {
  return first(rules, [](const AccessRule& rule) { return rule.subject == Subject::kLocal; });
}

}  // namespace drip::access
