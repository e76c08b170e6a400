// SPDX-License-Identifier: BSD-3-Clause
// Constructs the parts of the control plane, starts and stops them.
#include "control/server/node.h"

#include <array>
#include <future>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/work_thread.h"
#include "control/config/bucket_listing.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "control/config/single_node.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "control/listen/grpc_log.h"
#include "control/model/epoch_clock.h"
#include "control/placement/bucket_mover.h"
#include "control/requests/local_queues.h"
#include "control/requests/shared_queues.h"
#include "control/rpc/calls/services_context.h"
#include "control/rpc/rate_limiter_service.h"
#include "control/rpc/shaper_service.h"
#include "control/rpc/streams/stream_set.h"
#include "control/state/schedule_keeper.h"
#include "control/state/stored_changes.h"
#include "control/traffic/traffic_monitor.h"
#include "state/digest.h"

namespace drip::control {
namespace {

constexpr std::chrono::seconds kHousekeepingPeriod{1};

NodeIdentity identity_of(const NodeOptions& options) {
  std::string address = options.advertise_address;
  if (address.empty() && !options.server.addresses.empty()) {
    address = options.server.addresses.front();
  }
  return {options.node_id, std::move(address), options.version};
}

// Runs `work` on the thread and waits for its end. Does nothing if the thread has stopped.
void run_on(WorkThread& thread, const WorkThread::Work& work) {
  std::promise<void> done;
  const bool posted = thread.post([&] {
    work();
    done.set_value();
  });
  if (posted) done.get_future().wait();
}

std::unique_ptr<Cluster> cluster_of(const ClusterParts& parts, const ClusterFactory& make,
                                    const NodeOptions& options) {
  if (make != nullptr) return make(parts);
  return std::make_unique<SingleNode>(parts.engine, parts.buckets, identity_of(options));
}

NodeFacts facts_of(const Engine& engine, const NodeOptions& options) {
  const EpochClock clock(engine);
  return {options.node_id, options.version, options.dpdk_version, clock.epoch_ms(clock.now()),
          options.warnings};
}

std::shared_ptr<access::AccessControl> access_of(const NodeOptions& options) {
  if (options.access != nullptr) return options.access;
  return *access::AccessControl::open({});
}

// What is kept in the state directory.
struct Kept {
  Kept(Engine& engine, Configuration& configuration, BucketRegistry& buckets,
       state::StateStore& store)
      : schedules(engine, buckets, store), changes(configuration, buckets, store, schedules) {}

  ScheduleKeeper schedules;
  StoredChanges changes;
};

absl::StatusOr<FileConfig> file_of(const NodeConfig& config) {
  FileConfig file;
  std::string content;
  for (std::size_t i = 0; i < config.buckets.size(); ++i) {
    absl::StatusOr<BucketPatch> patch = read_patch(config.buckets[i], joined("buckets[", i, "]."));
    if (!patch.ok()) return patch.status();
    file.buckets.push_back(*std::move(patch));
    const std::string bytes = config.buckets[i].SerializeAsString();
    content += joined("b ", bytes.size(), " ", bytes);
  }
  if (config.has_rules) {
    absl::StatusOr<RuleSetSpec> rules = read_rule_set(config.rules, "rules.");
    if (!rules.ok()) return rules.status();
    file.rules = *std::move(rules);
    content += joined("r ", config.rules.SerializeAsString());
  }
  file.digest = state::text_of(state::digest_of(content));
  return file;
}

}  // namespace

// In the order of their dependencies: each part may use those above it.
struct Node::Parts {
  Parts(Engine& the_engine, NodeOptions the_options, const ClusterFactory& make_cluster)
      : engine(the_engine),
        options(std::move(the_options)),
        facts(facts_of(engine, options)),
        access(access_of(options)),
        audit(options.audit),
        clients(options.client_limits),
        streams(options.server.open_calls),
        local_queues(engine, options.max_requests, options.max_remembered),
        buckets(engine, local_queues),
        configuration(engine, buckets),
        listing(engine, buckets, configuration),
        local_changes(configuration),
        kept(options.state == nullptr
                 ? nullptr
                 : std::make_unique<Kept>(engine, configuration, buckets, *options.state)),
        mover(engine, configuration),
        traffic(options.traffic_samples == 0
                    ? nullptr
                    : std::make_unique<TrafficMonitor>(engine, buckets, configuration,
                                                       options.traffic_samples)),
        cluster(cluster_of({engine, buckets, configuration}, make_cluster, options)),
        work("drip-config", kHousekeepingPeriod,
             [this] {
               local_queues.pool().sweep();
               local_queues.pool().remembered().expire(engine.now());
               configuration.merge_added_rules();
               if (options.follow_traffic) mover.follow();
               if (kept != nullptr) kept->schedules.review();
               reload_access();
               log_suppressed_grpc_lines();
             }),
        context{engine,
                local_queues.pool().remembered(),
                buckets,
                configuration,
                listing,
                work,
                *cluster,
                changes(),
                cluster->change_thread() != nullptr ? *cluster->change_thread() : work,
                facts,
                *access,
                clients,
                options.tls.get(),
                audit,
                options.state.get(),
                traffic.get(),
                options.server.forwarded,
                options.control_process.get()},
        rate_limiter(context, streams),
        shaper(context, streams) {
    if (kept != nullptr) local_queues.set_schedules(&kept->schedules);
    if (options.count_calls) call_counts.emplace();
    if (SharedBuckets* const shared = cluster->shared_buckets()) {
      shared_queues.emplace(engine, *shared, local_queues);
      buckets.set_shared_queues(&*shared_queues);
    }
  }

  ConfigurationChanges& changes() {
    if (cluster->changes() != nullptr) return *cluster->changes();
    if (kept != nullptr) return kept->changes;
    return local_changes;
  }

  void reload_access() {
    access->reload_changed_tokens();
    if (options.tls != nullptr) options.tls->reload_changed();
    streams.end_refused(*access);
  }

  Engine& engine;
  const NodeOptions options;
  const NodeFacts facts;
  const std::shared_ptr<access::AccessControl> access;
  access::AuditTrail audit;
  ClientTable clients;
  StreamSet streams;
  LocalQueues local_queues;
  std::optional<SharedQueues> shared_queues;  // In a cluster.
  BucketRegistry buckets;
  Configuration configuration;
  BucketListing listing;
  LocalChanges local_changes;
  const std::unique_ptr<Kept> kept;  // Null without a state.
  BucketMover mover;
  const std::unique_ptr<TrafficMonitor> traffic;  // Null if no packets are sampled.
  std::unique_ptr<Cluster> cluster;
  WorkThread work;
  ServicesContext context;
  RateLimiterService rate_limiter;
  ShaperService shaper;
  std::optional<CallCounts> call_counts;
  std::unique_ptr<Server> server;
};

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Node::~Node() { stop(std::chrono::milliseconds(0)); }

absl::StatusOr<std::unique_ptr<Node>> Node::create(Engine& engine, NodeOptions options,
                                                   const ClusterFactory& make_cluster) {
  log_grpc_lines();
  auto parts = std::make_unique<Parts>(engine, std::move(options), make_cluster);
  if (absl::Status status = parts->cluster->start(); !status.ok()) return status;
  if (parts->kept != nullptr) {
    absl::Status status;
    run_on(parts->work, [&] { status = parts->kept->changes.restore(); });
    if (!status.ok()) return status;
  }
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

absl::Status Node::replace_config(const NodeConfig& config) {
  absl::StatusOr<FileConfig> file = file_of(config);
  if (!file.ok()) return file.status();
  absl::Status status;
  std::promise<absl::Status> stored;
  ConfigurationChanges& changes = parts_->context.changes;
  // A thread that has stopped changes nothing.
  bool changed = false;
  run_on(parts_->context.change_thread, [&] {
    changed = true;
    status = changes.replace(*std::move(file));
    changes.when_stored([&](const absl::Status& result) { stored.set_value(result); });
  });
  if (!changed) return absl::OkStatus();
  const absl::Status result = stored.get_future().get();
  return status.ok() ? result : status;
}

absl::Status Node::apply_initial_config(const NodeConfig& config) {
  if (parts_->kept != nullptr) {
    const absl::StatusOr<FileConfig> file = file_of(config);
    if (!file.ok()) return file.status();
    if (file->digest == parts_->kept->changes.file_digest()) {
      write_log(LogLevel::kInfo,
                "state: the file's buckets and rules are those that were applied last; they are as "
                "calls have changed them since");
      return absl::OkStatus();
    }
  }
  return replace_config(config);
}

absl::Status Node::start() {
  if (absl::Status status = parts_->configuration.start(); !status.ok()) return status;
  if (parts_->traffic != nullptr) parts_->traffic->begin();
  const std::array<grpc::Service*, 2> services = {&parts_->rate_limiter, &parts_->shaper};
  ServerOptions options = parts_->options.server;
  options.tls = parts_->options.tls;
  if (parts_->call_counts) options.call_counts = &*parts_->call_counts;
  absl::StatusOr<std::unique_ptr<Server>> server = Server::start(options, services);
  if (!server.ok()) return server.status();
  parts_->server = *std::move(server);
  return absl::OkStatus();
}

void Node::reload_access() { parts_->reload_access(); }

std::vector<std::uint16_t> Node::ports() const {
  return parts_->server == nullptr ? std::vector<std::uint16_t>() : parts_->server->ports();
}

std::span<const Listener> Node::listeners() const { return parts_->server->listeners(); }

void Node::connect(FileDescriptor socket) { parts_->server->connect(std::move(socket)); }

const ServicesContext& Node::context() const { return parts_->context; }

const CallCounts* Node::call_counts() const {
  return parts_->call_counts ? &*parts_->call_counts : nullptr;
}

void Node::begin_drain() {
  if (parts_->server != nullptr) parts_->server->set_healthy(false);
  parts_->mover.stop();
  parts_->cluster->begin_drain();
}

void Node::stop(std::chrono::milliseconds patience) {
  parts_->local_queues.stop();
  parts_->streams.stop();
  if (parts_->traffic != nullptr) parts_->traffic->end();
  parts_->work.stop();
  // Answers the calls that wait for it.
  if (parts_->options.state != nullptr) parts_->options.state->stop();
  parts_->cluster->stop();
  if (parts_->server != nullptr) parts_->server->stop(patience);
}

}  // namespace drip::control
