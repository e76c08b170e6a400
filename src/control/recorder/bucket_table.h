// SPDX-License-Identifier: BSD-3-Clause
// All buckets with what they do now, as trees, to be searched and sorted: configured ones, and
// those that per-flow rules made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/bucket_entry.h"
#include "control/model/bucket_place.h"
#include "control/recorder/history.h"
#include "drip/bucket_settings.h"
#include "drip/histogram.h"
#include "drip/tree/tree_node.h"
#include "engine/call_types.h"

namespace drip::control {

/// What has been counted of a bucket up to the last step.
struct CountsSeen {
  std::uint64_t arrived = 0;
  std::uint64_t departed = 0;
  std::uint64_t departed_bytes = 0;
  std::array<std::uint64_t, kLosses> lost{};
};

/// A histogram as it was read, in the 32 bits of its bins.
using SojournsSeen = std::array<std::uint32_t, kHistogramBins>;

/// A per-flow rule: what its buckets have in common.
struct FlowRuleOfRows {
  std::string id;
  std::uint32_t number = 0;  ///< In the engine.
  BucketSettings settings;
  BucketPlace place;
};

/// A bucket that a per-flow rule made.
struct FlowOfRow {
  std::string id;  ///< `rule/flow`, as BucketListing has it.
  std::shared_ptr<const FlowRuleOfRows> rule;
  BucketRef bucket;
  std::optional<FlowKey> key;  ///< None of the one for flows beyond max_flows.
};

/// A bucket at the end of the last step. Rates are those of the step.
struct BucketRow {
  static constexpr std::uint32_t kNoRow = ~0U;

  BucketEntryRef bucket;            ///< Null of a flow's.
  std::unique_ptr<FlowOfRow> flow;  ///< Null of a configured one.
  std::uint32_t parent = kNoRow;
  NodeState state = NodeState::kIdle;  ///< In a tree.
  bool in_tree = false;
  bool paused = false;      ///< No lease lets it leak.
  bool may_be_kept = true;  ///< Whether it may have a history.
  bool known = false;       ///< It has been read before.
  bool quiet = false;       ///< Nothing had changed when it was last read.
  float bits_per_second = 0;
  float units_per_second = 0;
  float lost_per_second = 0;
  float busy = 0;  ///< Bytes a step, decaying over about a minute.
  std::uint64_t backlog = 0;
  std::uint64_t backlog_below = 0;   ///< With all that is below it.
  std::uint64_t sojourn_p50_ns = 0;  ///< Of units that departed in the step; 0 if none did.
  std::uint64_t sojourn_p99_ns = 0;
  CountsSeen seen;
  std::unique_ptr<SojournsSeen> sojourn_seen;  ///< Null of a bucket that has long been idle.
  std::unique_ptr<History> history;            ///< Null if none is kept.

  [[nodiscard]] std::string_view id() const { return flow ? flow->id : bucket->id_view(); }
  [[nodiscard]] bool inner() const { return !flow && bucket->inner(); }
  [[nodiscard]] BucketSettings settings() const {
    return flow ? flow->rule->settings : bucket->settings();
  }
  [[nodiscard]] BucketPlace place() const { return flow ? flow->rule->place : bucket->place(); }
};

/// What a bucket waits for, as far as its last state tells.
struct Limit {
  enum class By : std::uint8_t { kNothing, kItself, kAncestor, kSiblings, kEgress, kLease };
  By by = By::kNothing;
  std::uint32_t ancestor = BucketRow::kNoRow;  ///< kAncestor.
};

enum class SortBy : std::uint8_t { kName, kRate, kBacklog, kLoss };

/// Rows are in order of id. Not thread safe.
class BucketTable {
 public:
  [[nodiscard]] const std::vector<BucketRow>& rows() const { return rows_; }
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view id) const;
  /// In order of id.
  [[nodiscard]] std::span<const std::uint32_t> roots() const { return children_at(0); }
  [[nodiscard]] std::span<const std::uint32_t> children(std::uint32_t row) const {
    return children_at(row + 1);
  }
  /// Up to `limit` of `rows` from `offset` on; the largest first, but by name the first.
  [[nodiscard]] std::vector<std::uint32_t> sorted(std::span<const std::uint32_t> rows, SortBy by,
                                                  std::size_t offset, std::size_t limit) const;
  /// Of all buckets, those that have any.
  [[nodiscard]] std::vector<std::uint32_t> top(SortBy by, std::size_t limit) const;
  struct Found {
    std::vector<std::uint32_t> rows;
    std::size_t total = 0;
  };
  /// Ids that contain the text, without regard to case: the same id, then those that begin with it,
  /// then the others.
  [[nodiscard]] Found search(std::string_view text, std::size_t limit) const;
  [[nodiscard]] Limit limit_of(std::uint32_t row) const;

  /// Takes the rows of a step, whose parents and backlogs are set, and puts the trees in order.
  void set_rows(std::vector<BucketRow> rows);
  /// The rows, to make those of the next step of.
  [[nodiscard]] std::vector<BucketRow> take_rows();

 private:
  [[nodiscard]] std::span<const std::uint32_t> children_at(std::size_t group) const;
  [[nodiscard]] double key(std::uint32_t row, SortBy by) const;

  std::vector<BucketRow> rows_;
  // Rows by their parents, roots first: those of row r lie from begin_[r + 1] to begin_[r + 2].
  std::vector<std::uint32_t> by_parent_;
  std::vector<std::uint32_t> begin_;
};

}  // namespace drip::control
