// SPDX-License-Identifier: BSD-3-Clause
// The options of a node in a cluster.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "cluster/membership/membership.h"
#include "drip/time.h"

namespace drip::daemon {

struct ClusterOptions {
  std::string url;  ///< Of Redis; empty: the node belongs to no cluster.
  std::string name = "drip";
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  std::string password_file;
  Duration heartbeat{100'000'000};
  Duration lease{700'000'000};

  bool operator==(const ClusterOptions&) const = default;
};

/// Checks the options and reads the files that they name. INVALID_ARGUMENT naming the flag.
[[nodiscard]] absl::StatusOr<cluster::MembershipOptions> membership_options(
    const ClusterOptions& options, const std::string& node_id, const std::string& advertise);

}  // namespace drip::daemon
