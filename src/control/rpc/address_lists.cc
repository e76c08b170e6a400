// SPDX-License-Identifier: BSD-3-Clause
// Reads the rules, changes a list in the copy, and sets them again.
#include "control/rpc/address_lists.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/quantity.h"
#include "base/text.h"
#include "control/convert/convert_enum.h"
#include "control/convert/convert_rule.h"
#include "control/model/expand_rule.h"

namespace drip::control {
namespace {

enum class ListMode : std::uint8_t { kReplace, kAdd, kRemove };
constexpr EnumPair<ListMode> kListModes[] = {{ListMode::kReplace, v1::ADDRESS_LIST_MODE_REPLACE},
                                             {ListMode::kAdd, v1::ADDRESS_LIST_MODE_ADD},
                                             {ListMode::kRemove, v1::ADDRESS_LIST_MODE_REMOVE}};
constexpr std::uint32_t kDefaultPage = 1000;
constexpr std::uint32_t kLongestPage = 10'000;
// In a cluster others may change the rules in the same moment.
constexpr int kTries = 5;

std::vector<std::string> users_of_list(const RuleSetSpec& rules, std::string_view name) {
  std::vector<std::string> users;
  for (const RuleSpec& rule : rules.rules) {
    if (rule.src_list == name || rule.dst_list == name) users.push_back(rule.id);
  }
  return users;
}

std::vector<IpPrefix> combined(ListMode mode, const AddressList& present,
                               const AddressList& given) {
  std::vector<IpPrefix> result;
  if (mode == ListMode::kReplace || present == nullptr) {
    if (mode != ListMode::kRemove) result = *given;
    return result;
  }
  result = *present;
  if (mode == ListMode::kAdd) {
    result.insert(result.end(), given->begin(), given->end());
    sort_prefixes(result);
    return result;
  }
  std::erase_if(result, [&](const IpPrefix& prefix) {
    return std::ranges::binary_search(*given, prefix, precedes);
  });
  return result;
}

// Sets the rules that `change(rules)` makes of the present ones.
template <class Change>
absl::StatusOr<Configuration::Revision> change_rules(const ServicesContext& context,
                                                     ConfigurationChanges::Deadline deadline,
                                                     Change change) {
  for (int tries = 1;; ++tries) {
    RuleSetSpec rules;
    std::uint64_t revision = 0;
    context.configuration.with_rules([&](const RuleStore& store) {
      rules = store.rules();
      revision = store.revision();
    });
    if (absl::Status status = change(rules); !status.ok()) return status;
    auto done = context.changes.set_rules(std::move(rules), revision, deadline);
    if (done.status().code() != absl::StatusCode::kAborted || tries == kTries) return done;
  }
}

}  // namespace

absl::Status set_address_list(const ServicesContext& context,
                              const v1::SetAddressListRequest& request,
                              v1::SetAddressListResponse& response,
                              ConfigurationChanges::Deadline deadline) {
  std::optional<ListMode> mode;
  absl::Status status = read_enum("mode", static_cast<int>(request.mode()), kListModes,
                                  "ADDRESS_LIST_MODE_REPLACE (1), ADDRESS_LIST_MODE_ADD (2), "
                                  "ADDRESS_LIST_MODE_REMOVE (3)",
                                  mode);
  if (!status.ok()) return status;
  const absl::StatusOr<AddressList> given = read_address_list(request.list(), "list.");
  if (!given.ok()) return given.status();
  const std::string& name = request.list().name();
  const auto revision = change_rules(context, deadline, [&](RuleSetSpec& rules) -> absl::Status {
    const auto present = rules.lists.find(name);
    const bool exists = present != rules.lists.end();
    if (!exists && mode == ListMode::kRemove) return not_found("list.name", "address list", name);
    std::vector<IpPrefix> prefixes =
        combined(mode.value_or(ListMode::kReplace), exists ? present->second : nullptr, *given);
    if (prefixes.size() > kMaxListEntries) {
      return not_allowed("list.prefixes", joined(prefixes.size(), " prefixes"),
                         joined("at most ", kMaxListEntries));
    }
    response.set_created(!exists);
    response.set_entries(prefixes.size());
    rules.lists[name] = std::make_shared<const std::vector<IpPrefix>>(std::move(prefixes));
    return absl::OkStatus();
  });
  if (!revision.ok()) return revision.status();
  response.set_revision(revision->number);
  return absl::OkStatus();
}

absl::Status delete_address_list(const ServicesContext& context,
                                 const v1::DeleteAddressListRequest& request,
                                 v1::DeleteAddressListResponse& response,
                                 ConfigurationChanges::Deadline deadline) {
  if (absl::Status name = check_name("name", request.name()); !name.ok()) return name;
  const auto revision = change_rules(context, deadline, [&](RuleSetSpec& rules) -> absl::Status {
    const auto users = users_of_list(rules, request.name());
    if (!users.empty()) {
      return absl::FailedPreconditionError(
          joined("name: ", quoted(request.name()), " is named by rule ", quoted(users.front()),
                 users.size() > 1 ? joined(" and ", users.size() - 1, " more") : ""));
    }
    if (rules.lists.erase(request.name()) == 0) {
      return not_found("name", "address list", request.name());
    }
    return absl::OkStatus();
  });
  if (!revision.ok()) return revision.status();
  response.set_revision(revision->number);
  return absl::OkStatus();
}

absl::Status list_address_lists(const ServicesContext& context,
                                const v1::ListAddressListsRequest& request,
                                v1::ListAddressListsResponse& response) {
  absl::Status status;
  const std::uint32_t page = request.page_size() == 0 ? kDefaultPage : request.page_size();
  status = check_range("page_size", std::uint64_t{page}, std::uint64_t{1},
                       std::uint64_t{kLongestPage}, " prefixes");
  if (!status.ok()) return status;
  // The token is how many prefixes came before.
  std::size_t begin = 0;
  if (!request.page_token().empty()) {
    const auto number = parse_integer(request.page_token(), 0, kMaxListEntries);
    if (!number) {
      return not_allowed("page_token", quoted(request.page_token()), "one that a reply has given");
    }
    begin = static_cast<std::size_t>(*number);
  }
  context.configuration.with_rules([&](const RuleStore& store) {
    for (const auto& [name, list] : store.rules().lists) {
      if (!request.name().empty() && name != request.name()) continue;
      v1::AddressListStatus& message = *response.add_lists();
      message.set_name(name);
      message.set_entries(list->size());
      for (const std::string& id : users_of_list(store.rules(), name)) message.add_rule_ids(id);
    }
    if (request.name().empty()) return;
    const auto found = store.rules().lists.find(request.name());
    if (found == store.rules().lists.end()) {
      status = not_found("name", "address list", request.name());
      return;
    }
    const std::vector<IpPrefix>& prefixes = *found->second;
    const std::size_t end = std::min(prefixes.size(), begin + page);
    for (std::size_t i = std::min(begin, end); i < end; ++i) {
      response.add_prefixes(prefixes[i].to_text());
    }
    if (end < prefixes.size()) response.set_next_page_token(joined(end));
  });
  return status;
}

}  // namespace drip::control
