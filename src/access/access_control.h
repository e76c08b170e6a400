// SPDX-License-Identifier: BSD-3-Clause
// Who may do what on this node, as it is at present: rules and tokens, read again when they change.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "access/access_table.h"
#include "base/file_stamp.h"
#include "base/mutex.h"

namespace drip::access {

struct AccessOptions {
  std::vector<AccessRule> rules;  ///< [[access]]
  std::string tokens_path;        ///< Empty: there are no tokens.
  /// Clients show certificates that are verified.
  bool client_certificates = false;

  /// Whether anything of it is configured. If not, whoever can connect is admin.
  [[nodiscard]] bool controlled() const {
    return !rules.empty() || !tokens_path.empty() || client_certificates;
  }
};

/// Thread safe.
class AccessControl {
 public:
  /// The errors of read_token_file().
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<AccessControl>> open(AccessOptions options);

  /// See AccessTable::identify().
  [[nodiscard]] absl::StatusOr<CallerRef> identify(const Presented& presented) const;
  /// False: identify() looks at nothing of what is presented.
  [[nodiscard]] bool is_controlled() const { return controlled_; }

  /// INVALID_ARGUMENT if these rules may not replace those of before: none are left where they were
  /// all that controlled access, so that whoever connects would be admin; or there was no control
  /// at all.
  [[nodiscard]] absl::Status check_rules(const std::vector<AccessRule>& rules) const;
  /// For the next call of every caller. REQUIRES: check_rules().
  void set_rules(std::vector<AccessRule> rules);
  /// Reads the tokens again if their file has changed. One that has an error is logged, and the
  /// tokens of before stay.
  void reload_changed_tokens();

  /// What the operator should know, in sentences.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  AccessControl(AccessOptions options, std::shared_ptr<const TokenSet> tokens, FileStamp stamp);
  [[nodiscard]] std::shared_ptr<const AccessTable> make_table(
      std::vector<AccessRule> rules, std::shared_ptr<const TokenSet> tokens) const;
  [[nodiscard]] std::shared_ptr<const AccessTable> table() const;

  const std::string tokens_path_;
  const bool client_certificates_;
  const bool controlled_;
  mutable Mutex mutex_;
  std::shared_ptr<const AccessTable> table_ ABSL_GUARDED_BY(mutex_);
  FileStamp stamp_ ABSL_GUARDED_BY(mutex_);
  std::string token_error_ ABSL_GUARDED_BY(mutex_);  // Of the file as it is now; empty: none.
};

}  // namespace drip::access
