// SPDX-License-Identifier: BSD-3-Clause
// Scope, sharing and failure policy as flags and as text.
#include "cli/fields/bucket_sharing.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "base/quantity.h"
#include "cli/fields/bucket_text.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

constexpr Choice<v1::Scope> kScopes[] = {{"node", v1::SCOPE_NODE}, {"cluster", v1::SCOPE_CLUSTER}};
constexpr Choice<v1::Sharing> kSharings[] = {{"exact", v1::SHARING_EXACT},
                                             {"split", v1::SHARING_SPLIT}};
constexpr Choice<v1::FailurePolicy> kPolicies[] = {{"closed", v1::FAILURE_POLICY_CLOSED},
                                                   {"safe-share", v1::FAILURE_POLICY_SAFE_SHARE},
                                                   {"last-share", v1::FAILURE_POLICY_LAST_SHARE},
                                                   {"open", v1::FAILURE_POLICY_OPEN}};
constexpr Choice<v1::PolicyState> kPolicyStates[] = {
    {"shared", v1::POLICY_STATE_SHARED},
    {"safe share", v1::POLICY_STATE_SAFE_SHARE},
    {"last share, until the lease ends", v1::POLICY_STATE_LAST_SHARE},
    {"closed", v1::POLICY_STATE_CLOSED},
    {"open", v1::POLICY_STATE_OPEN}};

template <typename Value, std::size_t kCount>
std::string_view word_of(Value value, const Choice<Value> (&choices)[kCount]) {
  const auto* const found =
      std::ranges::find_if(choices, [&](const auto& choice) { return choice.value == value; });
  return found == std::end(choices) ? "-" : found->word;
}

// "0.25" or "25%". The server checks the range.
Parsed<double> parse_part(std::string_view text) {
  const bool percent = text.ends_with('%');
  const std::string_view digits = text.substr(0, text.size() - (percent ? 1 : 0));
  double value = 0;
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (result.ec != std::errc{} || result.ptr != digits.data() + digits.size()) {
    return not_allowed<double>(text, "a part of the rate such as 0.1 or 10%");
  }
  return percent ? value / 100 : value;
}

void set_weight(const std::string& text, v1::ConfigureBucketRequest* request) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos) {
    const auto in_tree = parse_integer(text, 0, std::numeric_limits<std::uint32_t>::max());
    if (in_tree) return request->set_weight(static_cast<std::uint32_t>(*in_tree));
  }
  const auto weight = parse_integer(
      equals == std::string::npos ? std::string_view() : std::string_view(text).substr(equals + 1),
      0, std::numeric_limits<std::uint32_t>::max());
  if (equals == 0 || !weight) {
    throw CLI::ValidationError("--weight",
                               argument_error(text, "N, as in 3, or NODE=N, as in n1=3"));
  }
  (*request->mutable_weights())[text.substr(0, equals)] = static_cast<std::uint32_t>(*weight);
}

std::string sharing_in_words(const v1::BucketConfig& config) {
  std::string words =
      fmt::format("{}, {} on failure, decided within {}", word_of(config.sharing(), kSharings),
                  word_of(config.failure_policy(), kPolicies),
                  format_duration(std::chrono::nanoseconds(config.decide_within_ns())));
  if (config.failure_policy() == v1::FAILURE_POLICY_SAFE_SHARE) {
    words += fmt::format(", {:g} % in reserve", 100 * config.safe_reserve());
  }
  std::vector<std::string> weights;
  for (const auto& [node, weight] : config.weights()) {
    weights.push_back(fmt::format("{}={}", node, weight));
  }
  std::ranges::sort(weights);
  if (!weights.empty()) words += fmt::format(", weights {}", fmt::join(weights, " "));
  return words;
}

}  // namespace

double four_digits(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  // By way of its text, so that 12.35 is printed with no more digits.
  return std::stod(fmt::format("{:.4g}", value));
}

void add_sharing_settings(CLI::App* app,
                          const std::shared_ptr<v1::ConfigureBucketRequest>& request) {
  add_parsed(
      app, "--scope", "node|cluster",
      "Whether each node leaks at the full rate, or all nodes together",
      [](std::string_view text) { return parse_choice(text, kScopes); },
      [request](v1::Scope scope) { request->set_scope(scope); });
  add_parsed(
      app, "--sharing", "exact|split",
      "Cluster: one queue in Redis (for requests), or a share of the rate for each node",
      [](std::string_view text) { return parse_choice(text, kSharings); },
      [request](v1::Sharing sharing) { request->set_sharing(sharing); });
  add_parsed(
      app, "--on-failure", "closed|safe-share|last-share|open",
      "Cluster: what a node does while Redis does not answer",
      [](std::string_view text) { return parse_choice(text, kPolicies); },
      [request](v1::FailurePolicy policy) { request->set_failure_policy(policy); });
  add_parsed(
      app, "--decide-within", "DURATION", "Cluster: how long a call waits for Redis before that",
      [](std::string_view text) { return parse_duration(text); },
      [request](std::chrono::nanoseconds span) {
        request->set_decide_within_ns(static_cast<std::uint64_t>(span.count()));
      });
  add_parsed(app, "--safe-reserve", "PART",
             "Cluster: the part of the rate (0.1 or 10%) that is reserved for safe shares",
             parse_part, [request](double part) { request->set_safe_reserve(part); });
  app->add_option_function<std::vector<std::string>>(
         "--weight",
         [request](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) set_weight(text, request.get());
         },
         "Cluster: weight of a node's demand when the rate is divided, 1 by default;\n"
         "may be given once for each node")
      ->type_name("NODE=N")
      ->allow_extra_args(false);
}

void add_sharing_properties(const v1::Bucket& bucket, Properties* properties) {
  if (bucket.scope() != v1::SCOPE_CLUSTER) return;
  const v1::BucketConfig& config = bucket.config();
  properties->add("scope", fmt::format("cluster: {}", sharing_in_words(config)));
  properties->add("policy state",
                  fmt::format("{}; changed {} times", word_of(bucket.policy_state(), kPolicyStates),
                              bucket.policy_changes()));
  if (config.sharing() != v1::SHARING_SPLIT) return;
  properties->add("share", fmt::format("{} until {}, epoch {}",
                                       rates_in_words(config, four_digits(bucket.share_rate()),
                                                      four_digits(bucket.share_rate_bps())),
                                       format_time(bucket.lease_end_time()), bucket.share_epoch()));
  properties->add("demand", rates_in_words(config, four_digits(bucket.demand_rate()),
                                           four_digits(bucket.demand_rate_bps())));
}

}  // namespace drip::cli
