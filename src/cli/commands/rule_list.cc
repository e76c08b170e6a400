// SPDX-License-Identifier: BSD-3-Clause
// Pages of rules put together.
#include "cli/commands/rule_list.h"

namespace drip::cli {

v1::ListRulesResponse list_all_rules(Session& session) {
  for (int tries_left = 4;; --tries_left) {
    v1::ListRulesRequest request;
    v1::ListRulesResponse all = session.connection.call(&Shaper::ListRules, request);
    try {
      while (!all.next_page_token().empty()) {
        request.set_page_token(all.next_page_token());
        v1::ListRulesResponse page = session.connection.call(&Shaper::ListRules, request);
        all.set_next_page_token(page.next_page_token());
        all.mutable_rules()->MergeFrom(page.rules());
      }
      return all;
    } catch (const CallError& error) {
      // The rules were changed in between.
      if (error.code() != grpc::StatusCode::ABORTED || tries_left == 0) throw;
    }
  }
}

}  // namespace drip::cli
