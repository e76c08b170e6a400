// SPDX-License-Identifier: BSD-3-Clause
// Rules as configured, with names of buckets and ports; control/config/rule_store.h compiles them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "classifier/match.h"
#include "control/model/bucket_place.h"
#include "drip/bucket_settings.h"
#include "drip/time.h"
#include "packet/control_protocols.h"
#include "packet/flow_key.h"

namespace drip::control {

inline constexpr std::uint32_t kMaxFlows = 1U << 20;
inline constexpr std::uint32_t kMinIdleTimeoutMs = 100;
inline constexpr std::uint32_t kMaxIdleTimeoutMs = 86'400'000;
inline constexpr std::uint32_t kDefaultIdleTimeoutMs = 30'000;

/// Every field is within its range. Whether the named bucket and port exist is checked when the
/// rules are compiled.
struct RuleSpec {
  /// What becomes of packets of flows beyond max_flows.
  enum class Overflow : std::uint8_t { kShared, kDrop, kPass, kDefault };

  struct ToBucket {
    std::string bucket_id;
  };
  struct PerFlow {
    FlowTemplateKey key;
    BucketSettings bucket;
    BucketPlace place;  ///< Of each bucket: a leaf.
    std::uint32_t max_flows = 0;
    Duration idle_timeout;
    Overflow overflow = Overflow::kShared;

    /// With the one that flows beyond the maximum share, if they do.
    [[nodiscard]] std::uint32_t most_buckets() const {
      return max_flows + static_cast<std::uint32_t>(overflow == Overflow::kShared);
    }
    friend bool operator==(const PerFlow&, const PerFlow&) = default;
  };
  struct Pass {};
  struct Drop {};

  std::string id;
  /// The path of the rule in the request, for the text of errors: "rule_set.rules[2].".
  std::string path;
  std::int32_t priority = 0;
  /// Without ingress_port, whose name is below, and without prefixes, which may be several.
  Match match;
  std::string ingress_port;
  std::vector<IpPrefix> src_prefixes;
  std::vector<IpPrefix> dst_prefixes;
  std::string src_list;  ///< The name of an address list; empty: none.
  std::string dst_list;
  std::variant<Pass, Drop, ToBucket, PerFlow> action;
  std::optional<std::uint8_t> set_dscp;  ///< What packets get, 0 to 63.

  [[nodiscard]] bool same_match(const RuleSpec& other) const {
    return match == other.match && ingress_port == other.ingress_port &&
           src_prefixes == other.src_prefixes && dst_prefixes == other.dst_prefixes &&
           src_list == other.src_list && dst_list == other.dst_list;
  }
  [[nodiscard]] const PerFlow* per_flow() const { return std::get_if<PerFlow>(&action); }
  [[nodiscard]] const ToBucket* to_bucket() const { return std::get_if<ToBucket>(&action); }
};

/// Sorted, without duplicates. Shared, since rule sets are copied to be changed.
using AddressList = std::shared_ptr<const std::vector<IpPrefix>>;
/// By name.
using AddressLists = std::map<std::string, AddressList, std::less<>>;

/// By IP version, address and length.
[[nodiscard]] bool precedes(const IpPrefix& a, const IpPrefix& b);
/// In that order, each once.
void sort_prefixes(std::vector<IpPrefix>& prefixes);

struct RuleSetSpec {
  std::vector<RuleSpec> rules;
  AddressLists lists;
  /// The path of the rule set in the request, as in RuleSpec: "rule_set.".
  std::string path;
  std::string default_bucket_id;  ///< For packets that match no rule; empty: they pass.
  bool protect_control_traffic = true;
  /// What is protected, if anything is.
  ControlProtocols control_protocols = ControlProtocols::all();
};

}  // namespace drip::control
