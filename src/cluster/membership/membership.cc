// SPDX-License-Identifier: BSD-3-Clause
// The heartbeat thread, and queries answered from the last view.
#include "cluster/membership/membership.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "cluster/membership/membership_scripts.h"
#include "cluster/membership/server_check.h"

namespace drip::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How long a silent node is listed, as UNKNOWN.
constexpr milliseconds kForgetAfter{600'000};
// Reading 65536 buckets takes some milliseconds.
constexpr std::chrono::seconds kTotalsPeriod{1};

milliseconds since(Deadline time) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - time);
}

}  // namespace

std::string make_incarnation() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

Membership::Membership(MembershipOptions options, std::string incarnation,
                       std::function<AppliedConfig()> applied,
                       std::function<control::NodeTotals()> totals,
                       std::function<void(const ConfigHead&)> on_head)
    : options_(std::move(options)),
      keys_(options_.cluster_name),
      incarnation_(std::move(incarnation)),
      applied_(std::move(applied)),
      totals_of_node_(std::move(totals)),
      on_head_(std::move(on_head)),
      link_(options_.redis) {}

absl::Status Membership::start() {
  thread_ = start_thread("drip-cluster", [this] { run(); });
  const RedisOptions& redis = options_.redis;
  const Deadline unreachable = deadline_in(redis.connect_timeout + redis.command_timeout);
  // The id of a node that died is free after its lease.
  const Deadline in_use = deadline_in(redis.connect_timeout + 2 * options_.lease);
  MutexLock lock(mutex_);
  while (!view_.any) {
    const bool refused = absl::IsFailedPrecondition(last_status_);
    const Deadline end = refused ? in_use : unreachable;
    const auto left = end - steady_clock::now();
    if (left.count() <= 0) {
      if (!refused) return absl::OkStatus();
      return absl::AlreadyExistsError(
          joined("cluster '", options_.cluster_name, "': ", message_of(last_status_)));
    }
    changed_.wait_for(mutex_, left);
  }
  return absl::OkStatus();
}

void Membership::begin_drain() {
  MutexLock lock(mutex_);
  draining_ = true;
  heartbeat_now_ = true;
  changed_.notify_all();
}

void Membership::stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Membership::run() {
  while (true) {
    const Deadline next = deadline_in(options_.heartbeat);
    update_view();
    MutexLock lock(mutex_);
    while (!stopped_ && !heartbeat_now_) {
      const auto left = next - steady_clock::now();
      if (left.count() <= 0) break;
      changed_.wait_for(mutex_, left);
    }
    heartbeat_now_ = false;
    if (stopped_) break;
  }
  leave();
}

std::string Membership::record() {
  if (const Deadline now = steady_clock::now(); now >= totals_read_ + kTotalsPeriod) {
    totals_ = totals_of_node_();
    totals_read_ = now;
  }
  const AppliedConfig applied = applied_();
  v1::ClusterNode node;
  node.set_address(options_.address);
  node.set_version(options_.version);
  node.set_buckets(totals_.buckets);
  node.set_allowed_requests(totals_.allowed_requests);
  node.set_rejected_requests(totals_.rejected_requests);
  node.set_processed_requests(totals_.processed_requests);
  node.set_config_revision(applied.revision);
  node.set_config_error(applied.error);
  return node.SerializeAsString();
}

absl::StatusOr<HeartbeatView> Membership::send_heartbeat(bool draining) {
  const AppliedConfig applied = applied_();
  std::string own_record = record();
  const Deadline sent = steady_clock::now();
  const auto reply =
      link_.script(heartbeat_script(), {keys_.leader, keys_.members, keys_.config},
                   {options_.node_id, incarnation_, joined(options_.lease.count()),
                    joined(highest_epoch_), draining ? "draining" : "up", std::move(own_record),
                    joined(applied.revision), applied.dataset, joined(kForgetAfter.count())});
  if (!reply.ok()) return reply.status();
  const auto round_trip = steady_clock::now() - sent;
  absl::StatusOr<HeartbeatView> view = read_heartbeat(*reply, sent);
  if (view.ok()) view->round_trip = round_trip;
  return view;
}

void Membership::update_view() {
  bool draining = false;
  {
    MutexLock lock(mutex_);
    draining = draining_;
  }
  absl::StatusOr<HeartbeatView> view = send_heartbeat(draining);
  HeartbeatView before;
  absl::Status last_status;
  {
    MutexLock lock(mutex_);
    last_status = std::exchange(last_status_, view.status());
    before = view_;
    if (view.ok()) {
      view_ = *view;
      highest_epoch_ = std::max(highest_epoch_, view->epoch);
    }
    changed_.notify_all();
  }
  if (!view.ok()) {
    if (last_status.ok()) {
      write_log(LogLevel::kWarning, joined("cluster: cut off: ", message_of(view.status())));
    }
    return;
  }
  if (!last_status.ok() || !before.any) {
    write_log(LogLevel::kInfo,
              joined("cluster: connected to ", link_.peer(), " as '", options_.node_id, "'"));
  }
  log_leader_change(before, *view);
  on_head_(view->config);
  check_server_once();
}

void Membership::check_server_once() {
  if (checked_connection_ == link_.connections()) return;
  checked_connection_ = link_.connections();
  std::vector<std::string> warnings = check_server(link_, keys_.prefix);
  {
    MutexLock lock(mutex_);
    if (warnings_ == warnings) return;
    warnings_ = warnings;
  }
  for (const std::string& warning : warnings) write_log(LogLevel::kWarning, "cluster: " + warning);
}

void Membership::log_leader_change(const HeartbeatView& before, const HeartbeatView& now) {
  if (before.epoch == now.epoch && before.leader_id == now.leader_id) return;
  if (now.leader_id.empty()) {
    write_log(LogLevel::kInfo, joined("cluster: no leader after epoch ", now.epoch));
  } else {
    write_log(LogLevel::kInfo, joined("cluster: '", now.leader_id, "' leads, epoch ", now.epoch));
  }
}

void Membership::leave() {
  link_.disconnect();  // Ends the backoff.
  (void)link_.script(leave_script(), {keys_.leader, keys_.members},
                     {options_.node_id, incarnation_});
}

milliseconds Membership::age() const { return since(view_.any ? view_.sent : begun_); }

bool Membership::cut_off() const { return !view_.any || age() > options_.lease; }

LeaderState Membership::leader_state() const {
  MutexLock lock(mutex_);
  LeaderState state;
  state.epoch = view_.epoch;
  state.is_self = view_.leader_incarnation == incarnation_ &&
                  steady_clock::now() < view_.sent + view_.lease_left;
  return state;
}

absl::StatusOr<control::ClusterLeader> Membership::leader() const {
  MutexLock lock(mutex_);
  const std::string last_leader = view_.leader_id.empty()
                                      ? std::string("no leader")
                                      : joined("'", view_.leader_id, "', epoch ", view_.epoch);
  if (cut_off()) {
    return absl::UnavailableError(joined(
        "the leader is not known: this node has been cut off from the cluster for ", age().count(),
        " ms", last_status_.ok() ? "" : joined(" (", message_of(last_status_), ")"),
        view_.any ? joined("; the last known one was ", last_leader) : std::string()));
  }
  if (view_.leader_id.empty() || steady_clock::now() >= view_.sent + view_.lease_left) {
    return absl::UnavailableError(
        joined("there is no leader at present; the last epoch was ", view_.epoch));
  }
  control::ClusterLeader leader{view_.leader_id, "", view_.epoch,
                                view_.leader_incarnation == incarnation_, age()};
  for (const HeartbeatView::Member& member : view_.members) {
    if (member.id == leader.node_id) leader.address = member.record.address();
  }
  return leader;
}

control::ClusterStatus Membership::status() const {
  MutexLock lock(mutex_);
  control::ClusterStatus status;
  status.clustered = true;
  status.epoch = view_.epoch;
  status.connected = !cut_off();
  status.knowledge_age = age();
  status.redis_round_trip = view_.round_trip;
  status.config_revision = view_.config.revision;
  status.warnings = warnings_;
  if (!last_status_.ok()) status.cut_off_reason = message_of(last_status_);
  const bool has_leader = steady_clock::now() < view_.sent + view_.lease_left;
  for (const HeartbeatView::Member& known : view_.members) {
    control::ClusterMember& member = status.members.emplace_back();
    member.node_id = known.id;
    member.address = known.record.address();
    const bool leads = known.id == view_.leader_id && has_leader && status.connected;
    member.role =
        leads ? control::ClusterMember::Role::kLeader : control::ClusterMember::Role::kFollower;
    if (status.connected && known.silent < known.lease) {
      member.state = known.draining ? control::ClusterMember::State::kDraining
                                    : control::ClusterMember::State::kUp;
    }
    member.last_seen_epoch_ms = view_.now_ms - known.silent.count();
    member.version = known.record.version();
    member.totals = {known.record.buckets(), known.record.allowed_requests(),
                     known.record.rejected_requests(), known.record.processed_requests()};
    member.config_revision = known.record.config_revision();
    member.config_error = known.record.config_error();
  }
  if (!view_.any) {
    control::ClusterMember& self = status.members.emplace_back();
    self.node_id = options_.node_id;
    self.address = options_.address;
    self.version = options_.version;
  }
  return status;
}

}  // namespace drip::cluster
