// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/families/groups.h"

#include <array>

namespace drip::metrics {

std::span<const FamilyGroup> all_groups() {
  static const std::array groups = {
      FamilyGroup{"Buckets", bucket_specs()},  FamilyGroup{"Traffic", traffic_specs()},
      FamilyGroup{"Ports", port_specs()},      FamilyGroup{"Lcores", lcore_specs()},
      FamilyGroup{"Memory", memory_specs()},   FamilyGroup{"Clock", clock_specs()},
      FamilyGroup{"Cluster", cluster_specs()}, FamilyGroup{"RPCs", call_specs()},
      FamilyGroup{"Node", node_specs()},       FamilyGroup{"State", state_specs()},
      FamilyGroup{"Process", process_specs()}};
  return groups;
}

}  // namespace drip::metrics
