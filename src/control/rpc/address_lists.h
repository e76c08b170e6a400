// SPDX-License-Identifier: BSD-3-Clause
// The calls on address lists, which belong to the rule set.
#pragma once

#include "absl/status/status.h"
#include "control/config/configuration_changes.h"
#include "control/rpc/calls/services_context.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

/// On the thread of changes.
absl::Status set_address_list(const ServicesContext& context,
                              const v1::SetAddressListRequest& request,
                              v1::SetAddressListResponse& response,
                              ConfigurationChanges::Deadline deadline);
absl::Status delete_address_list(const ServicesContext& context,
                                 const v1::DeleteAddressListRequest& request,
                                 v1::DeleteAddressListResponse& response,
                                 ConfigurationChanges::Deadline deadline);

absl::Status list_address_lists(const ServicesContext& context,
                                const v1::ListAddressListsRequest& request,
                                v1::ListAddressListsResponse& response);

}  // namespace drip::control
