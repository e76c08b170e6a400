// SPDX-License-Identifier: BSD-3-Clause
// A call that changes something: carried out in its turn, and recorded with what was before and
// what is after.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "access/audit/audit_trail.h"
#include "control/rpc/calls/admitted.h"
#include "control/rpc/calls/services_context.h"
#include "control/rpc/calls/unary_call.h"

namespace drip::control {

/// What a call may change, by its name: "bucket web", "rule r1", "list customers".
using Snapshot = std::map<std::string, access::AuditValue>;

/// The settings of those of the buckets that exist.
[[nodiscard]] Snapshot snapshot_of_buckets(const ServicesContext& context,
                                           const std::vector<std::string>& ids);
/// The bucket and all that is below it.
[[nodiscard]] Snapshot snapshot_of_subtree(const ServicesContext& context, const std::string& id);
/// One rule; empty if there is none.
[[nodiscard]] Snapshot snapshot_of_rule(const ServicesContext& context, const std::string& id);
/// All rules, and what they have in common.
[[nodiscard]] Snapshot snapshot_of_rules(const ServicesContext& context);
/// How many prefixes a list has, and these if they are few.
[[nodiscard]] Snapshot snapshot_of_list(const ServicesContext& context, const std::string& name);

/// Who calls, from where and what.
[[nodiscard]] access::AuditRecord record_of(const Admitted& admitted);
/// A record for each part that differs; one without values if none does, or with the error of a
/// call that failed. `target` is what was asked for.
void write_audit(access::AuditTrail& trail, const access::AuditRecord& about,
                 const std::string& target, const Snapshot& before, const Snapshot& after,
                 const absl::Status& status);

/// answer_change_in_order() on the thread of changes. `snapshot()` is called before and after
/// `call()`.
template <class MakeSnapshot, class Call>
[[nodiscard]] grpc::ServerUnaryReactor* change_in_order(const ServicesContext& context,
                                                        const Admitted& admitted,
                                                        grpc::CallbackServerContext* grpc_call,
                                                        std::string target, MakeSnapshot snapshot,
                                                        Call call) {
  return answer_change_in_order(
      grpc_call, context.change_thread, context.changes,
      [&audit = context.audit, about = record_of(admitted), target = std::move(target),
       snapshot = std::move(snapshot), call = std::move(call)] {
        const Snapshot before = snapshot();
        const absl::Status status = call();
        write_audit(audit, about, target, before, status.ok() ? snapshot() : before, status);
        return status;
      });
}

}  // namespace drip::control
