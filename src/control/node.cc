// SPDX-License-Identifier: BSD-3-Clause
// Puts the parts of the control plane together.
#include "control/node.h"

#include <array>
#include <utility>

#include "control/bucket_listing.h"
#include "control/bucket_registry.h"
#include "control/configuration.h"
#include "control/convert_bucket.h"
#include "control/convert_rule.h"
#include "control/epoch_clock.h"
#include "control/rate_limiter_service.h"
#include "control/services_context.h"
#include "control/shaper_service.h"
#include "control/single_node.h"
#include "control/text.h"
#include "control/turn_watch.h"
#include "control/watch_buckets.h"
#include "control/work_thread.h"

namespace drip::control {
namespace {

constexpr std::chrono::seconds kSweepPeriod{1};

NodeIdentity identity_of(const NodeOptions& options) {
  std::string address = options.advertise_address;
  if (address.empty() && !options.server.addresses.empty()) {
    address = options.server.addresses.front();
  }
  return {options.node_id, std::move(address), options.version};
}

NodeFacts facts_of(const Engine& engine, const NodeOptions& options) {
  const EpochClock clock(engine);
  return {options.node_id, options.version, options.dpdk_version, clock.epoch_ms(clock.now()),
          options.warnings};
}

}  // namespace

// In the order in which they need one another.
struct Node::Parts {
  Parts(Engine& the_engine, NodeOptions the_options, std::unique_ptr<Cluster> the_cluster)
      : engine(the_engine),
        options(std::move(the_options)),
        facts(facts_of(engine, options)),
        requests(engine, options.max_requests),
        buckets(engine, requests),
        configuration(engine, buckets),
        listing(engine, buckets, configuration),
        cluster(the_cluster != nullptr
                    ? std::move(the_cluster)
                    : std::make_unique<SingleNode>(engine, buckets, identity_of(options))),
        turns(engine),
        work(kSweepPeriod, [this] { requests.sweep(); }),
        context{engine, buckets, requests, configuration, listing, turns, work, *cluster, facts},
        streams(context),
        rate_limiter(context),
        shaper(context, streams) {
    buckets.set_shared(cluster->shared_buckets());
  }

  Engine& engine;
  const NodeOptions options;
  const NodeFacts facts;
  RequestRegistry requests;
  BucketRegistry buckets;
  Configuration configuration;
  BucketListing listing;
  std::unique_ptr<Cluster> cluster;
  TurnWatch turns;
  WorkThread work;
  ServicesContext context;
  WatchStreams streams;
  RateLimiterService rate_limiter;
  ShaperService shaper;
  std::unique_ptr<Server> server;
};

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Node::~Node() { stop(std::chrono::milliseconds(0)); }

absl::StatusOr<std::unique_ptr<Node>> Node::create(Engine& engine, NodeOptions options,
                                                   std::unique_ptr<Cluster> cluster) {
  auto parts = std::make_unique<Parts>(engine, std::move(options), std::move(cluster));
  if (absl::Status status = parts->configuration.start(); !status.ok()) return status;
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

absl::Status Node::replace_config(const NodeConfig& config) {
  WantedConfig wanted;
  for (std::size_t i = 0; i < config.buckets.size(); ++i) {
    absl::StatusOr<BucketPatch> patch = read_patch(config.buckets[i], joined("buckets[", i, "]."));
    if (!patch.ok()) return patch.status();
    wanted.buckets.push_back(*std::move(patch));
  }
  if (config.has_rules) {
    absl::StatusOr<RuleSetSpec> rules = read_rule_set(config.rules, "rules.");
    if (!rules.ok()) return rules.status();
    wanted.rules = *std::move(rules);
  }
  return parts_->configuration.replace(std::move(wanted));
}

absl::Status Node::start() {
  const std::array<grpc::Service*, 2> services = {&parts_->rate_limiter, &parts_->shaper};
  absl::StatusOr<std::unique_ptr<Server>> server = Server::start(parts_->options.server, services);
  if (!server.ok()) return server.status();
  parts_->server = *std::move(server);
  return absl::OkStatus();
}

std::vector<std::uint16_t> Node::ports() const {
  return parts_->server == nullptr ? std::vector<std::uint16_t>() : parts_->server->ports();
}

void Node::begin_drain() {
  if (parts_->server != nullptr) parts_->server->set_healthy(false);
}

void Node::stop(std::chrono::milliseconds patience) {
  parts_->turns.stop();
  parts_->streams.stop();
  parts_->work.stop();
  if (parts_->server != nullptr) parts_->server->stop(patience);
}

}  // namespace drip::control
