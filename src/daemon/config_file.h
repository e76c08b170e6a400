// SPDX-License-Identifier: BSD-3-Clause
// dripd's TOML file: the node's own options, and the buckets and rules that it starts with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/server/node.h"
#include "daemon/options.h"

namespace drip::daemon {

// An error in a file has the text `file:line:column: field: reason`; then nothing of the file is
// used.

/// [node], [placement], [memory], [cluster] and [[ports]] over what `options` holds.
absl::Status read_options(const std::string& path, Options& options);

/// [[buckets]], [[rules]], default_bucket_id and protect_control_traffic: the API's own messages
/// with its field names, in which a rate, size or duration may also be text with a unit ("100mbit",
/// "64kb", "20ms").
absl::StatusOr<control::NodeConfig> read_initial_config(const std::string& path);

/// [[access]] alone; none if the file has none.
absl::StatusOr<std::vector<access::AccessRule>> read_access_rules(const std::string& path);

/// Adds the line and column in the file to an error of the API, `buckets[3].leak_rate: ...`:
/// `file:line:column: buckets[3].leak_rate: ...`.
absl::Status locate(const std::string& path, const absl::Status& error);

[[nodiscard]] std::optional<Idle> idle_named(std::string_view name);
[[nodiscard]] std::optional<ControlProcess> control_process_named(std::string_view name);
[[nodiscard]] std::optional<netdev::OnFailure> on_failure_named(std::string_view name);
[[nodiscard]] std::optional<dpdk::Hugepages> hugepages_named(std::string_view name);

}  // namespace drip::daemon
