// SPDX-License-Identifier: BSD-3-Clause
// The calls of ShaperService: convert, do, convert back.
#include "control/rpc/shaper_service.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/text.h"
#include "control/config/rule_warnings.h"
#include "control/convert/convert_bucket.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_page.h"
#include "control/convert/convert_rule.h"
#include "control/convert/convert_stats.h"
#include "control/model/epoch_clock.h"
#include "control/rpc/address_lists.h"
#include "control/rpc/calls/audited_change.h"
#include "control/rpc/calls/bucket_traffic.h"
#include "control/rpc/calls/explain.h"
#include "control/rpc/calls/tenant.h"
#include "control/rpc/calls/unary_call.h"
#include "control/rpc/changes.h"
#include "control/rpc/node_warnings.h"
#include "control/rpc/streams/capture.h"
#include "control/rpc/streams/watch_buckets.h"

namespace drip::control {
namespace {

absl::Status configure_buckets(const ServicesContext& context, const access::Caller& caller,
                               const v1::ConfigureBucketsRequest& request,
                               v1::ConfigureBucketsResponse& response,
                               ConfigurationChanges::Deadline deadline) {
  std::vector<BucketPatch> patches;
  for (int i = 0; i < request.buckets_size(); ++i) {
    absl::StatusOr<BucketPatch> patch = read_patch(request.buckets(i), joined("buckets[", i, "]."));
    if (!patch.ok()) return patch.status();
    patches.push_back(*std::move(patch));
  }
  if (absl::Status own = check_own_changes(caller, context.buckets, patches); !own.ok()) return own;
  const absl::StatusOr<BucketRegistry::Applied> applied =
      context.changes.configure(patches, deadline);
  if (!applied.ok()) return applied.status();
  response.set_created(applied->created);
  response.set_changed(applied->changed);
  const std::uint32_t longest = longest_frame_of(context.engine);
  for (const BucketPatch& patch : patches) {
    const BucketEntryRef bucket = context.buckets.find(patch.id);
    if (bucket == nullptr) continue;
    for (const std::string& warning : warnings_of_bucket(bucket->settings(), longest)) {
      response.add_warnings(joined("bucket ", patch.id, ": ", warning));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> ids_of(const v1::ConfigureBucketsRequest& request) {
  std::vector<std::string> ids;
  for (const v1::BucketConfig& bucket : request.buckets()) ids.push_back(bucket.bucket_id());
  return ids;
}

absl::Status list_buckets(const ServicesContext& context, const access::Caller& caller,
                          const v1::ListBucketsRequest& request,
                          v1::ListBucketsResponse& response) {
  const absl::StatusOr<std::size_t> limit = read_page_size(request.page_size());
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<std::string> after = read_id_token(request.page_token());
  if (!after.ok()) return after.status();
  absl::StatusOr<BucketFilter> filter = read_filter(request.filter());
  if (!filter.ok()) return filter.status();
  if (absl::Status own = keep_to_own(caller, *filter); !own.ok()) return own;
  const EpochClock clock(context.engine);
  const absl::StatusOr<BucketPage> page = context.listing.page(*filter, *after, *limit);
  if (!page.ok()) return page.status();
  response.set_monotonic_ns(static_cast<std::int64_t>(clock.now().ns));
  for (BucketState state : page->states) {
    add_share(context.cluster, state);
    write_bucket(state, clock, *response.add_buckets());
  }
  if (!page->last) response.set_next_page_token(id_token(page->states.back().id));
  response.set_total_buckets(count_own(caller, context.buckets));
  return absl::OkStatus();
}

absl::Status set_rules(const ServicesContext& context, const v1::SetRulesRequest& request,
                       v1::SetRulesResponse& response, ConfigurationChanges::Deadline deadline) {
  absl::StatusOr<RuleSetSpec> rules = read_rule_set(request.rule_set(), "rule_set.");
  if (!rules.ok()) return rules.status();
  // Lists that are not named stay as they are.
  context.configuration.with_rules([&](const RuleStore& store) {
    rules->lists.insert(store.rules().lists.begin(), store.rules().lists.end());
  });
  const auto revision = context.changes.set_rules(
      *std::move(rules),
      request.has_expected_revision() ? std::optional(request.expected_revision()) : std::nullopt,
      deadline);
  if (!revision.ok()) return revision.status();
  response.set_revision(revision->number);
  context.configuration.with_rules([&](const RuleStore& store) {
    for (std::size_t i = 0; i < store.warnings().size(); ++i) {
      for (const std::string& warning : store.warnings()[i]) {
        response.add_warnings(joined("rule ", store.rules().rules[i].id, ": ", warning));
      }
    }
  });
  return absl::OkStatus();
}

absl::Status set_rule(const ServicesContext& context, const v1::SetRuleRequest& request,
                      v1::SetRuleResponse& response, ConfigurationChanges::Deadline deadline) {
  absl::StatusOr<RuleSpec> rule = read_rule(request.rule(), "rule.");
  if (!rule.ok()) return rule.status();
  const std::string id = rule->id;
  const auto revision = context.changes.set_rule(*std::move(rule), deadline);
  if (!revision.ok()) return revision.status();
  response.set_revision(revision->number);
  response.set_created(revision->created);
  context.configuration.with_rules([&](const RuleStore& store) {
    for (std::string& warning : store.warnings_of(id)) response.add_warnings(std::move(warning));
  });
  return absl::OkStatus();
}

absl::Status delete_rule(const ServicesContext& context, const v1::DeleteRuleRequest& request,
                         v1::DeleteRuleResponse& response,
                         ConfigurationChanges::Deadline deadline) {
  if (absl::Status name = check_name("rule_id", request.rule_id()); !name.ok()) return name;
  const auto revision = context.changes.delete_rule(request.rule_id(), deadline);
  if (!revision.ok()) return revision.status();
  response.set_revision(revision->number);
  return absl::OkStatus();
}

absl::Status list_rules(const ServicesContext& context, const v1::ListRulesRequest& request,
                        v1::ListRulesResponse& response) {
  const absl::StatusOr<std::size_t> limit = read_large_page_size(request.page_size());
  if (!limit.ok()) return limit.status();
  absl::Status result;
  context.configuration.with_rules([&](const RuleStore& rules) {
    const absl::StatusOr<std::size_t> first =
        read_rules_token(request.page_token(), rules.revision());
    if (!first.ok()) {
      result = first.status();
      return;
    }
    const std::vector<RuleState> all = rules.list();
    std::size_t bytes = 0;
    std::size_t next = std::min(*first, all.size());
    for (; next < all.size() && next - *first < *limit && bytes < kPageBytes; ++next) {
      const RuleState& state = all[next];
      v1::RuleStatus& status = *response.add_rules();
      write_rule(*state.rule, *status.mutable_rule());
      status.set_packets(state.hits.packets);
      status.set_bytes(state.hits.bytes);
      status.set_flows(state.flows.flows);
      status.set_flows_created(state.flows.created);
      status.set_flows_refused(state.flows.refused);
      for (const std::string& warning : state.warnings) status.add_warnings(warning);
      bytes += status.ByteSizeLong();
    }
    if (next < all.size()) response.set_next_page_token(rules_token(rules.revision(), next));
    response.set_default_bucket_id(rules.rules().default_bucket_id);
    response.set_protect_control_traffic(rules.rules().protect_control_traffic);
    const ControlProtocols protocols = rules.rules().control_protocols;
    for (const std::string& entry : protocols.entries()) response.add_control_protocols(entry);
    if (rules.rules().protect_control_traffic) {
      for (const std::string& name : protocols.names()) response.add_protected_protocols(name);
    }
    response.set_revision(rules.revision());
    response.set_default_packets(rules.default_hits().packets);
    const auto count = [&](PacketKind kind) { return rules.default_hits(kind).packets; };
    v1::DefaultCounts& counts = *response.mutable_default_counts();
    counts.set_mpls(count(PacketKind::kMpls));
    counts.set_pppoe(count(PacketKind::kPppoe));
    counts.set_non_ip(count(PacketKind::kNonIp));
    counts.set_fragments(count(PacketKind::kFragment));
    counts.set_tunnels(count(PacketKind::kTunnel));
    counts.set_other(count(PacketKind::kOther));
    response.set_protected_packets(rules.protected_hits().packets);
  });
  return result;
}

absl::Status get_node(const ServicesContext& context, v1::GetNodeResponse& response) {
  response.set_node_id(context.facts.node_id);
  response.set_version(context.facts.version);
  response.set_dpdk_version(context.facts.dpdk_version);
  response.set_start_time(context.facts.start_epoch_ms);
  response.set_buckets(context.buckets.size());
  context.configuration.with_rules([&](const RuleStore& rules) {
    std::uint64_t flows = 0;
    for (const std::optional<FlowRule>& flow_rule : rules.flow_rules()) {
      if (flow_rule) flows += context.engine.read_flow_rule(flow_rule->number).flows;
    }
    response.set_rules(rules.rules().rules.size());
    response.set_flows(flows);
    for (std::string& warning : warnings_of_refused_flows(rules.list(), context.engine.now())) {
      response.add_warnings(std::move(warning));
    }
  });
  response.set_remembered_ids(context.remembered.size());
  response.set_remembered_ids_forgotten(context.remembered.forgotten());
  write_memory(context.engine.memory(), *response.mutable_memory());
  write_clock(context.engine.clock(), EpochClock(context.engine), *response.mutable_clock());
  for (std::string& warning : node_warnings(context)) response.add_warnings(std::move(warning));
  if (context.control_process != nullptr) {
    v1::ControlProcess& process = *response.mutable_control_process();
    process.set_pid(context.control_process->pid);
    process.set_restarts(context.control_process->restarts);
    process.set_hangs(context.control_process->hangs);
    process.set_replacements(context.control_process->replacements);
  }
  return absl::OkStatus();
}

}  // namespace

ShaperService::ShaperService(const ServicesContext& context, StreamSet& streams)
    : GuardedService(context), streams_(streams), recorders_(context) {
  serve("ConfigureBuckets", &ShaperService::on_configure_buckets);
  serve("ListBuckets", &ShaperService::on_list_buckets);
  serve("WatchBuckets", &ShaperService::on_watch_buckets);
  serve("WatchTop", &ShaperService::on_watch_top);
  serve("SetRules", &ShaperService::on_set_rules);
  serve("SetRule", &ShaperService::on_set_rule);
  serve("DeleteRule", &ShaperService::on_delete_rule);
  serve("SetAddressList", &ShaperService::on_set_address_list);
  serve("DeleteAddressList", &ShaperService::on_delete_address_list);
  serve("ListAddressLists", &ShaperService::on_list_address_lists);
  serve("ListRules", &ShaperService::on_list_rules);
  serve("Explain", &ShaperService::on_explain);
  serve("Capture", &ShaperService::on_capture);
  serve("GetBucketTraffic", &ShaperService::on_get_bucket_traffic);
  serve("ListPorts", &ShaperService::on_list_ports);
  serve("ListLcores", &ShaperService::on_list_lcores);
  serve("GetNode", &ShaperService::on_get_node);
  serve("ListChanges", &ShaperService::on_list_changes);
  check_all_are_served();
}

grpc::ServerUnaryReactor* ShaperService::on_configure_buckets(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::ConfigureBucketsRequest* request, v1::ConfigureBucketsResponse* response) {
  return change_in_order(
      context_, admitted, call, joined(request->buckets_size(), " buckets"),
      [=, this] { return snapshot_of_buckets(context_, ids_of(*request)); },
      [=, this, caller = admitted.caller] {
        return configure_buckets(context_, *caller, *request, *response, call->deadline());
      });
}

grpc::ServerUnaryReactor* ShaperService::on_list_buckets(const Admitted& admitted,
                                                         grpc::CallbackServerContext* call,
                                                         const v1::ListBucketsRequest* request,
                                                         v1::ListBucketsResponse* response) {
  const auto list = [=, this, caller = admitted.caller] {
    return list_buckets(context_, *caller, *request, *response);
  };
  if (request->filter().include_flows()) return answer_in_order(call, context_.work, list);
  return answer(call, list());
}

grpc::ServerWriteReactor<v1::WatchBucketsResponse>* ShaperService::on_watch_buckets(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::WatchBucketsRequest* request) {
  return open_watch_stream(context_, streams_, admitted, *request);
}

grpc::ServerBidiReactor<v1::WatchTopRequest, v1::WatchTopResponse>* ShaperService::on_watch_top(
    const Admitted& admitted, grpc::CallbackServerContext* call) {
  return open_top_stream(context_, streams_, recorders_, admitted);
}

grpc::ServerUnaryReactor* ShaperService::on_set_rules(const Admitted& admitted,
                                                      grpc::CallbackServerContext* call,
                                                      const v1::SetRulesRequest* request,
                                                      v1::SetRulesResponse* response) {
  return change_in_order(
      context_, admitted, call, "rules", [=, this] { return snapshot_of_rules(context_); },
      [=, this] { return set_rules(context_, *request, *response, call->deadline()); });
}

grpc::ServerUnaryReactor* ShaperService::on_set_rule(const Admitted& admitted,
                                                     grpc::CallbackServerContext* call,
                                                     const v1::SetRuleRequest* request,
                                                     v1::SetRuleResponse* response) {
  return change_in_order(
      context_, admitted, call, "rule " + request->rule().rule_id(),
      [=, this] { return snapshot_of_rule(context_, request->rule().rule_id()); },
      [=, this] { return set_rule(context_, *request, *response, call->deadline()); });
}

grpc::ServerUnaryReactor* ShaperService::on_delete_rule(const Admitted& admitted,
                                                        grpc::CallbackServerContext* call,
                                                        const v1::DeleteRuleRequest* request,
                                                        v1::DeleteRuleResponse* response) {
  return change_in_order(
      context_, admitted, call, "rule " + request->rule_id(),
      [=, this] { return snapshot_of_rule(context_, request->rule_id()); },
      [=, this] { return delete_rule(context_, *request, *response, call->deadline()); });
}

grpc::ServerUnaryReactor* ShaperService::on_set_address_list(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::SetAddressListRequest* request, v1::SetAddressListResponse* response) {
  return change_in_order(
      context_, admitted, call, "list " + request->list().name(),
      [=, this] { return snapshot_of_list(context_, request->list().name()); },
      [=, this] { return set_address_list(context_, *request, *response, call->deadline()); });
}

grpc::ServerUnaryReactor* ShaperService::on_delete_address_list(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::DeleteAddressListRequest* request, v1::DeleteAddressListResponse* response) {
  return change_in_order(
      context_, admitted, call, "list " + request->name(),
      [=, this] { return snapshot_of_list(context_, request->name()); },
      [=, this] { return delete_address_list(context_, *request, *response, call->deadline()); });
}

grpc::ServerUnaryReactor* ShaperService::on_list_address_lists(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::ListAddressListsRequest* request, v1::ListAddressListsResponse* response) {
  return answer_in_order(call, context_.work,
                         [=, this] { return list_address_lists(context_, *request, *response); });
}

grpc::ServerUnaryReactor* ShaperService::on_list_rules(const Admitted& admitted,
                                                       grpc::CallbackServerContext* call,
                                                       const v1::ListRulesRequest* request,
                                                       v1::ListRulesResponse* response) {
  return answer_in_order(call, context_.work,
                         [=, this] { return list_rules(context_, *request, *response); });
}

grpc::ServerUnaryReactor* ShaperService::on_explain(const Admitted& admitted,
                                                    grpc::CallbackServerContext* call,
                                                    const v1::ExplainRequest* request,
                                                    v1::ExplainResponse* response) {
  return answer_in_order(call, context_.work,
                         [=, this] { return explain(context_, *request, *response); });
}

grpc::ServerWriteReactor<v1::CaptureResponse>* ShaperService::on_capture(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::CaptureRequest* request) {
  return open_capture_stream(context_, streams_, capture_place_, admitted, *request);
}

grpc::ServerUnaryReactor* ShaperService::on_get_bucket_traffic(
    const Admitted& admitted, grpc::CallbackServerContext* call,
    const v1::GetBucketTrafficRequest* request, v1::GetBucketTrafficResponse* response) {
  return answer_in_order(call, context_.work, [=, this, caller = admitted.caller] {
    return get_bucket_traffic(*caller, context_, *request, *response);
  });
}

grpc::ServerUnaryReactor* ShaperService::on_list_ports(const Admitted& admitted,
                                                       grpc::CallbackServerContext* call,
                                                       const v1::ListPortsRequest* request,
                                                       v1::ListPortsResponse* response) {
  for (const PortStats& reading : context_.engine.ports()) {
    write_port(reading, *response->add_ports());
  }
  return answer(call, absl::OkStatus());
}

grpc::ServerUnaryReactor* ShaperService::on_list_lcores(const Admitted& admitted,
                                                        grpc::CallbackServerContext* call,
                                                        const v1::ListLcoresRequest* request,
                                                        v1::ListLcoresResponse* response) {
  std::uint32_t index = 0;
  for (const LcoreStats& reading : context_.engine.lcores()) {
    write_lcore(index++, reading, *response->add_lcores());
  }
  return answer(call, absl::OkStatus());
}

grpc::ServerUnaryReactor* ShaperService::on_get_node(const Admitted& admitted,
                                                     grpc::CallbackServerContext* call,
                                                     const v1::GetNodeRequest* request,
                                                     v1::GetNodeResponse* response) {
  return answer_in_order(call, context_.work, [=, this] { return get_node(context_, *response); });
}

grpc::ServerUnaryReactor* ShaperService::on_list_changes(const Admitted& admitted,
                                                         grpc::CallbackServerContext* call,
                                                         const v1::ListChangesRequest* request,
                                                         v1::ListChangesResponse* response) {
  return answer(call, list_changes(context_.audit.recent(), *admitted.caller, *request, *response));
}

}  // namespace drip::control
