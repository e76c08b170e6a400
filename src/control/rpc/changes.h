// SPDX-License-Identifier: BSD-3-Clause
// What was changed, by whom, and what failed (ShaperService.ListChanges).
#pragma once

#include "absl/status/status.h"
#include "access/audit/recent_changes.h"
#include "access/caller.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

/// A page of `recent`, as far as the caller is to know: one with a prefix gets records of its own
/// buckets alone, and of calls that others made no peer.
[[nodiscard]] absl::Status list_changes(const access::RecentChanges& recent,
                                        const access::Caller& caller,
                                        const v1::ListChangesRequest& request,
                                        v1::ListChangesResponse& response);

}  // namespace drip::control
