// SPDX-License-Identifier: BSD-3-Clause
#include "control/recorder/bucket_recorder.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

#include "base/quantile.h"
#include "control/model/epoch_clock.h"

namespace drip::control {
namespace {

constexpr std::size_t kEntriesAtOnce = 256;
constexpr std::uint64_t kStepsAMinute = 30;
// A request without a size is as busy as a short packet.
constexpr float kBytesOfAUnit = 64;

double rate(std::uint64_t now, std::uint64_t before, double seconds) {
  return now < before ? 0 : static_cast<double>(now - before) / seconds;
}

std::array<std::uint64_t, kLosses> losses_of(const BucketStats& stats) {
  static_assert(kRejectReasons == static_cast<std::size_t>(Loss::kQueueOverflow));
  std::array<std::uint64_t, kLosses> lost{};
  std::copy(stats.rejected.begin(), stats.rejected.end(), lost.begin());
  const auto of = [&](Loss loss) -> std::uint64_t& { return lost[static_cast<std::size_t>(loss)]; };
  std::uint64_t by_queue = 0;
  if (stats.queue) {
    of(Loss::kQueueOverflow) = stats.queue->overflow_drops;
    of(Loss::kAqm) = stats.queue->aqm_drops;
    of(Loss::kMaxWait) = stats.queue->max_wait_drops;
    by_queue = stats.queue->overflow_drops + stats.queue->aqm_drops + stats.queue->max_wait_drops;
  }
  // Counters of one bucket are not of one moment.
  of(Loss::kOther) = stats.dropped - std::min(stats.dropped, by_queue);
  return lost;
}

// Both in order of id.
void merge_into(std::vector<BucketRow>& rows, std::vector<BucketRow> more) {
  const auto middle = static_cast<std::ptrdiff_t>(rows.size());
  std::ranges::move(more, std::back_inserter(rows));
  std::ranges::inplace_merge(rows, rows.begin() + middle, {}, &BucketRow::id);
}

}  // namespace

void BucketRecorder::step() {
  const TimePoint now = engine_.now();
  const Duration span = record_.steps == 0 ? Duration{} : now - record_.time;
  // Nothing is a rate over no time at all.
  if (record_.steps > 0 && span.ns <= 0) return;
  record_.time = now;
  record_.span = span;
  const EpochClock clock(engine_);
  record_.step_epoch_ms[record_.steps % record_.step_epoch_ms.size()] = clock.epoch_ms(clock.now());
  if (traffic_ != nullptr) {
    const TimePoint end = traffic_->read_until();
    trips_begin_ = record_.steps == 0 ? end : trips_end_;
    trips_end_ = end;
  }
  lost_ = {};
  inner_samples_.clear();
  kept_ = std::exchange(record_.histories, 0);
  record_.history_bytes = 0;
  const double seconds = record_.steps == 0 ? 1 : static_cast<double>(span.ns) / 1e9;
  std::vector<BucketRow> old = record_.table.take_rows();
  const auto first_flow = std::stable_partition(
      old.begin(), old.end(), [](const BucketRow& row) { return row.flow == nullptr; });
  std::vector<BucketRow> old_flows(std::make_move_iterator(first_flow),
                                   std::make_move_iterator(old.end()));
  old.erase(first_flow, old.end());
  std::vector<BucketRow> rows = next_rows(std::move(old), seconds);
  merge_into(rows, next_flow_rows(std::move(old_flows), now));
  set_parents(rows);
  add_backlogs(rows);
  if (record_.steps % kStepsAMinute == 0) choose_busiest(rows);
  record_.table.set_rows(std::move(rows));
  sum_up();
  ++record_.steps;
}

// Rows and buckets are both in order of id, so that one goes beside the other.
std::vector<BucketRow> BucketRecorder::next_rows(std::vector<BucketRow> old, double seconds) {
  std::vector<BucketRow> rows;
  rows.reserve(buckets_.size());
  auto before = old.begin();
  std::string cursor;
  while (true) {
    const std::vector<BucketEntryRef> buckets = buckets_.list("", cursor, kEntriesAtOnce);
    for (const BucketEntryRef& bucket : buckets) {
      while (before != old.end() && before->id() < bucket->id_view()) ++before;
      if (before != old.end() && before->bucket.get() == bucket.get()) {
        rows.push_back(std::move(*before++));
      } else {
        rows.emplace_back().bucket = bucket;
      }
      if (std::optional<Sample> sample = read(rows.back(), seconds); sample && bucket->inner()) {
        inner_samples_.emplace_back(rows.size() - 1, *sample);
      }
    }
    if (buckets.size() < kEntriesAtOnce) break;
    cursor = buckets.back()->id();
  }
  return rows;
}

std::vector<BucketRow> BucketRecorder::next_flow_rows(std::vector<BucketRow> old, TimePoint now) {
  std::vector<BucketRow> rows;
  const double seconds = old.empty() ? 1 : static_cast<double>((now - flows_read_).ns) / 1e9;
  const bool read = configuration_.try_with_rules([&](const RuleStore& rules) {
    rows = flow_rows(engine_, rules, std::move(old));
    for (BucketRow& row : rows) this->read(row, row.flow->bucket, seconds);
    flows_read_ = now;
  });
  if (read) return rows;
  // The rules are being changed. What happens meanwhile is seen by the next step that reads them.
  for (BucketRow& row : old) keep(row, Sample{});
  return old;
}

std::optional<Sample> BucketRecorder::read(BucketRow& row, double seconds) {
  const auto use = row.bucket->use();
  if (!use) return std::nullopt;
  return read(row, row.bucket->ref(), seconds);
}

std::optional<Sample> BucketRecorder::read(BucketRow& row, BucketRef ref, double seconds) {
  const ArrivalCounts arrivals = engine_.arrivals(ref);
  const CountsSeen before = row.seen;
  // A bucket to which nothing has come and in which nothing waits is not read: most buckets of
  // very many are idle.
  if (row.quiet && arrivals.units == before.arrived && arrivals.backlog == 0 && !arrivals.waits) {
    row.busy *= 1 - 1.0F / kStepsAMinute;
    if (row.busy < 1) row.sojourn_seen = nullptr;
    row.sojourn_p50_ns = row.sojourn_p99_ns = 0;
    if (!row.inner()) keep(row, Sample{});
    return Sample{};
  }
  const bool is_flow = row.flow && row.flow->key;
  const BucketStats stats =
      is_flow ? engine_.read_flow(row.flow->rule->number, ref) : engine_.read(ref);
  row.seen = {arrivals.units, stats.departed, stats.departed_bytes, losses_of(stats)};
  row.backlog = stats.backlog;
  row.paused = stats.paused;
  row.state = stats.node_state.value_or(NodeState::kIdle);
  row.quiet = stats.backlog == 0 && !arrivals.waits;
  // Counts from before the first look are of no step.
  if (!std::exchange(row.known, true)) {
    if (stats.departed > 0 && !row.inner()) read_sojourns(row, stats.sojourn);
    return std::nullopt;
  }
  Sample sample;
  sample.bits_per_second = 8 * rate(stats.departed_bytes, before.departed_bytes, seconds);
  sample.units_per_second = rate(stats.departed, before.departed, seconds);
  sample.backlog = stats.backlog;
  double lost = 0;
  for (std::size_t i = 0; i < kLosses; ++i) {
    sample.lost_per_second[i] = rate(row.seen.lost[i], before.lost[i], seconds);
    lost_[i] += sample.lost_per_second[i];
    lost += sample.lost_per_second[i];
  }
  row.quiet = row.quiet && sample.units_per_second == 0 && lost == 0;
  row.bits_per_second = static_cast<float>(sample.bits_per_second);
  row.units_per_second = static_cast<float>(sample.units_per_second);
  row.lost_per_second = static_cast<float>(lost);
  const auto sent = static_cast<float>(stats.departed_bytes - before.departed_bytes) +
                    kBytesOfAUnit * static_cast<float>(stats.departed - before.departed);
  row.busy += (sent - row.busy) / kStepsAMinute;
  if (row.inner()) return sample;
  read_sojourns(row, stats.sojourn);
  sample.sojourn_p50_ns = row.sojourn_p50_ns;
  sample.sojourn_p99_ns = row.sojourn_p99_ns;
  keep(row, sample);
  return sample;
}

// `sojourn`: as counted up to now.
void BucketRecorder::read_sojourns(BucketRow& row, const HistogramCounts& sojourn) {
  const bool first = row.sojourn_seen == nullptr;
  // The sojourns of the first step are not known, as those before it are not.
  if (first) row.sojourn_seen = std::make_unique<SojournsSeen>();
  // The bins have 32 bits and wrap.
  HistogramCounts step;
  for (std::size_t i = 0; i < kHistogramBins; ++i) {
    const auto count = static_cast<std::uint32_t>(sojourn.counts[i]);
    step.counts[i] =
        static_cast<std::uint32_t>(count - std::exchange((*row.sojourn_seen)[i], count));
  }
  step.max_ns = sojourn.max_ns;
  const bool known = !first && step.total() > 0;
  row.sojourn_p50_ns = known ? step.quantile_ns(0.5) : 0;
  row.sojourn_p99_ns = known ? step.quantile_ns(0.99) : 0;
}

void BucketRecorder::keep(BucketRow& row, Sample sample) {
  const bool event = sample.units_per_second > 0 || sample.backlog > 0 || row.lost_per_second > 0;
  if (row.history == nullptr) {
    if (!event || !row.may_be_kept || kept_ >= most_histories_) return;
    ++kept_;
    row.history = std::make_unique<History>(record_.steps);
  }
  if (traffic_ != nullptr && !row.inner()) add_round_trips(row.id(), sample);
  row.history->put(record_.steps, sample);
  if (row.history->over()) {
    row.history = nullptr;
    return;
  }
  ++record_.histories;
  record_.history_bytes += row.history->memory_bytes();
}

void BucketRecorder::add_round_trips(std::string_view id, Sample& sample) const {
  const auto sides = traffic_->round_trips_us(id, trips_begin_, trips_end_);
  for (std::size_t side = 0; side < sides.size(); ++side) {
    const std::vector<std::uint32_t>& trips = sides[side];
    if (trips.empty()) continue;
    // 0 would say that none was measured.
    const auto ns = [&](double q) {
      return 1000 * std::uint64_t{std::max(quantile(trips, q), 1U)};
    };
    sample.round_trips[side] = {ns(0.5), ns(0.9)};
  }
}

void BucketRecorder::set_parents(std::vector<BucketRow>& rows) {
  std::string last_parent;
  std::uint32_t last_row = BucketRow::kNoRow;
  for (BucketRow& row : rows) {
    const std::string parent = row.place().parent_id;
    row.in_tree = !parent.empty() || row.inner();
    if (parent.empty()) {
      row.parent = BucketRow::kNoRow;
      continue;
    }
    // Siblings often follow one another.
    if (parent != last_parent) {
      const auto found = std::ranges::lower_bound(rows, std::string_view(parent), {},
                                                  [](const BucketRow& one) { return one.id(); });
      const bool there = found != rows.end() && found->id() == parent;
      last_row = there ? static_cast<std::uint32_t>(found - rows.begin()) : BucketRow::kNoRow;
      last_parent = parent;
    }
    row.parent = last_row;
  }
}

// An inner node holds nothing itself: its history has what waits below it.
void BucketRecorder::add_backlogs(std::vector<BucketRow>& rows) {
  for (BucketRow& row : rows) row.backlog_below = row.backlog;
  for (const BucketRow& row : rows) {
    if (row.backlog == 0) continue;
    for (std::uint32_t node = row.parent; node != BucketRow::kNoRow; node = rows[node].parent) {
      rows[node].backlog_below += row.backlog;
    }
  }
  for (auto& [index, sample] : inner_samples_) {
    sample.backlog = rows[index].backlog_below;
    keep(rows[index], sample);
  }
}

void BucketRecorder::choose_busiest(std::vector<BucketRow>& rows) {
  if (rows.size() <= most_histories_) {
    for (BucketRow& row : rows) row.may_be_kept = true;
    return;
  }
  // Twice as busy as another one that is kept already: so that few change.
  const auto weight = [&](std::uint32_t row) {
    return rows[row].busy * (rows[row].history != nullptr ? 2 : 1);
  };
  std::vector<std::uint32_t> order(rows.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto last = order.begin() + static_cast<std::ptrdiff_t>(most_histories_);
  std::nth_element(order.begin(), last, order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const float of_a = weight(a);
    const float of_b = weight(b);
    return of_a != of_b ? of_a > of_b : a < b;
  });
  for (auto row = order.begin(); row != order.end(); ++row) {
    rows[*row].may_be_kept = row < last;
    if (row < last || rows[*row].history == nullptr) continue;
    --record_.histories;
    record_.history_bytes -= rows[*row].history->memory_bytes();
    rows[*row].history = nullptr;
  }
}

void BucketRecorder::sum_up() {
  Sample all;
  for (const std::uint32_t root : record_.table.roots()) {
    const BucketRow& row = record_.table.rows()[root];
    all.bits_per_second += row.bits_per_second;
    all.units_per_second += row.units_per_second;
    all.backlog += row.backlog_below;
  }
  all.lost_per_second = lost_;
  record_.all.put(record_.steps, all);
  record_.all_now = all;
}

}  // namespace drip::control
