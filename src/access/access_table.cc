// SPDX-License-Identifier: BSD-3-Clause
#include "access/access_table.h"

#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "base/text.h"

namespace drip::access {
namespace {

// RFC 6750, section 2.1; the scheme's case does not matter (RFC 9110, section 11.1).
constexpr std::string_view kBearer = "bearer ";

CallerRef caller_of(std::string name, const AccessRule& rule) {
  return std::make_shared<const Caller>(Caller{std::move(name), rule.role, rule.prefix});
}

absl::Status has_no_role(std::string_view who) {
  return absl::PermissionDeniedError(
      joined("seen as ", who, ", which has no role: no entry of access names it"));
}

}  // namespace

AccessTable::AccessTable(bool controlled, bool certificates_are_admin,
                         std::vector<AccessRule> rules, std::shared_ptr<const TokenSet> tokens)
    : controlled_(controlled),
      certificates_are_admin_(certificates_are_admin),
      rules_(std::move(rules)),
      tokens_(std::move(tokens)),
      everyone_(std::make_shared<const Caller>(Caller{"anyone", Role::kAdmin, ""})) {}

absl::StatusOr<CallerRef> AccessTable::identify(const Presented& presented, TokenTime now) const {
  if (!controlled_) return everyone_;
  if (presented.authorization) {
    const std::string_view text = *presented.authorization;
    if (!absl::StartsWithIgnoreCase(absl::string_view(text.data(), text.size()),
                                    absl::string_view(kBearer.data(), kBearer.size()))) {
      return absl::UnauthenticatedError("authorization is not of the form \"Bearer TOKEN\"");
    }
    if (!presented.is_private) {
      return absl::UnauthenticatedError(
          "the token came over plain TCP, where others can read it: revoke it, and use TLS");
    }
    return tokens_->find(text.substr(kBearer.size()), now);
  }
  if (presented.certificate) {
    const std::string who = text_of(*presented.certificate);
    const AccessRule* const rule = find_rule(rules_, *presented.certificate);
    if (rule != nullptr) return caller_of(who, *rule);
    if (!certificates_are_admin_ || !rules_.empty()) return has_no_role(who);
    return std::make_shared<const Caller>(Caller{who, Role::kAdmin, ""});
  }
  if (presented.uid) {
    const AccessRule* const rule = find_rule(rules_, *presented.uid);
    if (rule != nullptr) return caller_of(joined("uid ", *presented.uid), *rule);
  }
  const AccessRule* const local = presented.is_local ? find_local_rule(rules_) : nullptr;
  if (local != nullptr) return caller_of("a local caller", *local);
  if (presented.uid) return has_no_role(joined("uid ", *presented.uid));
  return absl::UnauthenticatedError(
      "this call has no identity: it needs a token (authorization: Bearer ...) or a client "
      "certificate");
}

}  // namespace drip::access
