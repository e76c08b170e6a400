// SPDX-License-Identifier: BSD-3-Clause
// What a change set, as the audit trail keeps it: Protobuf's bytes, of which JSON is made for the
// log.
#pragma once

#include <string_view>

#include "access/audit/audit_record.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

[[nodiscard]] access::AuditValue value_of(const v1::ChangedValue& value);

/// The other way round. What was read from an audit log is JSON; what it is of is known from the
/// record's target. As a note if it is of nothing that the API has.
void write_value(const access::AuditValue& value, std::string_view target,
                 v1::ChangedValue& message);

}  // namespace drip::control
