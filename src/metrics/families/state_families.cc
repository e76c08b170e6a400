// SPDX-License-Identifier: BSD-3-Clause
// Families of the state directory.
#include <array>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

constexpr FamilySpec kFailing{"drip_state_failing", kGauge, "boolean", "",
                              "Whether the state directory cannot be written; absent without one."};
constexpr FamilySpec kCommits{"drip_state_commits_total", kCounter, "commits", "",
                              "Writes to the state's journal that were synced."};
constexpr FamilySpec kFailures{"drip_state_failures_total", kCounter, "failures", "",
                               "Writes, syncs and reservations of the state that failed."};
constexpr FamilySpec kCommitSeconds{"drip_state_commit_seconds_total", kCounter, "seconds", "",
                                    "How long these commits took together."};
constexpr FamilySpec kWritten{"drip_state_written_bytes_total", kCounter, "bytes", "",
                              "Written to the state's journals."};
constexpr FamilySpec kJournal{"drip_state_journal_bytes", kGauge, "bytes", "",
                              "Size of the state's present journal."};
constexpr FamilySpec kSnapshots{"drip_state_snapshots_total", kCounter, "snapshots", "",
                                "Snapshots of the state that were made."};

}  // namespace

void add_state(const StateCounts& state, Families& families) {
  add(families.begin(kFailing), state.failing ? 1 : 0);
  add(families.begin(kCommits), number(state.commits));
  add(families.begin(kFailures), number(state.failures));
  add(families.begin(kCommitSeconds), seconds_of_ns(number(state.commit_ns)));
  add(families.begin(kWritten), number(state.written_bytes));
  add(families.begin(kJournal), number(state.journal_bytes));
  add(families.begin(kSnapshots), number(state.snapshots));
}

std::span<const FamilySpec* const> state_specs() {
  static constexpr std::array kSpecs = {&kFailing, &kCommits, &kFailures, &kCommitSeconds,
                                        &kWritten, &kJournal, &kSnapshots};
  return kSpecs;
}

}  // namespace drip::metrics
