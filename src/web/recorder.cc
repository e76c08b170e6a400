// SPDX-License-Identifier: BSD-3-Clause
#include "web/recorder.h"

#include <ctime>
#include <optional>
#include <utility>

#include "control/config/rule_warnings.h"
#include "control/rpc/node_warnings.h"

namespace drip::web {
namespace {

std::uint64_t thread_cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

void Recorder::with_record(absl::FunctionRef<void(const Record&)> use) const {
  MutexLock lock(mutex_);
  use({buckets_.record(), now_, before_, last_step_cpu_ns_});
}

void Recorder::step() {
  const std::uint64_t begun = thread_cpu_ns();
  // Not under the lock: a change of the configuration that takes long holds up no reader.
  NodeReading now = read_node();
  MutexLock lock(mutex_);
  before_ = std::exchange(now_, std::move(now));
  buckets_.step();
  last_step_cpu_ns_ = thread_cpu_ns() - begun;
}

NodeReading Recorder::read_node() const {
  NodeReading reading;
  reading.ports = context_.engine.ports();
  reading.lcores = context_.engine.lcores();
  reading.warnings = control::node_warnings(context_);
  context_.configuration.with_rules([&](const control::RuleStore& store) {
    const std::vector<control::RuleSpec>& rules = store.rules().rules;
    reading.rules = rules.size();
    std::vector<control::RuleState> per_flow;
    for (std::size_t i = 0; i < store.flow_rules().size(); ++i) {
      const std::optional<control::FlowRule>& flow_rule = store.flow_rules()[i];
      if (!flow_rule) continue;
      const FlowRuleStats stats = context_.engine.read_flow_rule(flow_rule->number);
      reading.flow_rules.push_back({rules[i].id, *rules[i].per_flow(), stats});
      control::RuleState& state = per_flow.emplace_back();
      state.rule = &rules[i];
      state.flows = stats;
    }
    for (auto& warning : control::warnings_of_refused_flows(per_flow, context_.engine.now())) {
      reading.warnings.push_back(std::move(warning));
    }
  });
  reading.time = context_.engine.now();
  return reading;
}

}  // namespace drip::web
