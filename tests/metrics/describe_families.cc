// SPDX-License-Identifier: BSD-3-Clause
// Prints the tables of docs/guide/metrics.md: all metric families as the code describes them.
#include <cstdio>

#include "metrics/families/groups.h"

int main() {
  using drip::metrics::FamilySpec;
  for (const drip::metrics::FamilyGroup& group : drip::metrics::all_groups()) {
    std::printf("### %s\n\n| name | type | unit | labels | meaning |\n", group.title);
    std::printf("| --- | --- | --- | --- | --- |\n");
    for (const FamilySpec* const spec : group.specs) {
      const char* type = spec->type == drip::metrics::kCounter     ? "counter"
                         : spec->type == drip::metrics::kHistogram ? "histogram"
                                                                   : "gauge";
      std::printf("| `%s` | %s | %s | %s | %s |\n", spec->name, type, spec->unit, spec->labels,
                  spec->help);
    }
    std::printf("\n");
  }
}
