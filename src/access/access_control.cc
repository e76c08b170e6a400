// SPDX-License-Identifier: BSD-3-Clause
#include "access/access_control.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "access/token_file.h"
#include "base/log.h"
#include "base/text.h"

namespace drip::access {
namespace {

bool is_of_certificates(const AccessRule& rule) {
  return rule.subject == AccessRule::Subject::kCommonName ||
         rule.subject == AccessRule::Subject::kDnsName || rule.subject == AccessRule::Subject::kUri;
}

absl::Status check_certificates(const std::vector<AccessRule>& rules, bool client_certificates) {
  const auto rule = std::ranges::find_if(rules, is_of_certificates);
  if (rule == rules.end() || client_certificates) return absl::OkStatus();
  return absl::InvalidArgumentError(
      joined("access[", rule - rules.begin(),
             "]: names a certificate, but none is asked for: --tls-client-ca is missing"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AccessControl>> AccessControl::open(AccessOptions options) {
  const absl::Status rules = check_certificates(options.rules, options.client_certificates);
  if (!rules.ok()) return rules;
  auto tokens = std::make_shared<const TokenSet>();
  FileStamp stamp;
  if (!options.tokens_path.empty()) {
    // Before it is read, so that what is written meanwhile is read as well.
    stamp = stamp_of(options.tokens_path);
    absl::StatusOr<std::vector<Token>> read = read_token_file(options.tokens_path);
    if (!read.ok()) return read.status();
    tokens = std::make_shared<const TokenSet>(*std::move(read));
  }
  return std::unique_ptr<AccessControl>(
      new AccessControl(std::move(options), std::move(tokens), stamp));
}

AccessControl::AccessControl(AccessOptions options, std::shared_ptr<const TokenSet> tokens,
                             FileStamp stamp)
    : tokens_path_(options.tokens_path),
      client_certificates_(options.client_certificates),
      controlled_(options.controlled()),
      table_(make_table(std::move(options.rules), std::move(tokens))),
      stamp_(stamp) {}

std::shared_ptr<const AccessTable> AccessControl::make_table(
    std::vector<AccessRule> rules, std::shared_ptr<const TokenSet> tokens) const {
  return std::make_shared<const AccessTable>(controlled_, client_certificates_, std::move(rules),
                                             std::move(tokens));
}

std::shared_ptr<const AccessTable> AccessControl::table() const {
  MutexLock lock(mutex_);
  return table_;
}

absl::StatusOr<CallerRef> AccessControl::identify(const Presented& presented) const {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return table()->identify(presented, now);
}

absl::Status AccessControl::check_rules(const std::vector<AccessRule>& rules) const {
  if (controlled_ && rules.empty() && tokens_path_.empty() && !client_certificates_) {
    return absl::InvalidArgumentError(
        "access: at least one entry is needed: without any, whoever connects would be admin, and "
        "that only a restart allows");
  }
  if (!controlled_ && !rules.empty()) {
    return absl::InvalidArgumentError(
        "access: dripd was started without access control; a restart is needed for it");
  }
  return check_certificates(rules, client_certificates_);
}

void AccessControl::set_rules(std::vector<AccessRule> rules) {
  MutexLock lock(mutex_);
  table_ = make_table(std::move(rules), table_->tokens());
}

void AccessControl::reload_changed_tokens() {
  if (tokens_path_.empty()) return;
  const FileStamp stamp = stamp_of(tokens_path_);
  {
    MutexLock lock(mutex_);
    if (stamp == stamp_) return;
    stamp_ = stamp;
  }
  absl::StatusOr<std::vector<Token>> tokens = read_token_file(tokens_path_);
  if (!tokens.ok()) {
    log_error("{}; the tokens of before stay", message_of(tokens.status()));
    MutexLock lock(mutex_);
    token_error_ = message_of(tokens.status());
    return;
  }
  log_info("{} tokens of {} are in use", tokens->size(), tokens_path_);
  auto set = std::make_shared<const TokenSet>(*std::move(tokens));
  MutexLock lock(mutex_);
  token_error_.clear();
  table_ = make_table(table_->rules(), std::move(set));
}

std::vector<std::string> AccessControl::warnings() const {
  MutexLock lock(mutex_);
  if (token_error_.empty()) return {};
  return {joined("tokens: the file has an error, so those of before are in use: ", token_error_)};
}

}  // namespace drip::access
