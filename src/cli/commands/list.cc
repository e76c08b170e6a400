// SPDX-License-Identifier: BSD-3-Clause
// The command `list`: set, add, remove, show, delete.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "cli/commands/commands.h"
#include "cli/fields/list_file.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

Exit set(Session& session, v1::SetAddressListRequest request, const std::string& path) {
  if (!path.empty()) {
    for (std::string& prefix : read_list_file(path)) {
      request.mutable_list()->add_prefixes(std::move(prefix));
    }
  }
  const v1::SetAddressListResponse reply =
      session.connection.call(&Shaper::SetAddressList, request);
  if (session.json) {
    print(reply);
  } else {
    print_line(fmt::format("list {} {}: {} prefixes, revision {}", request.list().name(),
                           reply.created() ? "created" : "changed", reply.entries(),
                           reply.revision()));
  }
  return Exit::kOk;
}

Exit list_all(Session& session, bool names_only) {
  const v1::ListAddressListsResponse reply = session.connection.call(&Shaper::ListAddressLists, {});
  if (names_only) {
    for (const v1::AddressListStatus& list : reply.lists()) print_line(list.name());
  } else if (session.json) {
    print(reply);
  } else {
    Table table({{"LIST", Table::Align::kLeft}, {"PREFIXES"}, {"RULES", Table::Align::kLeft}});
    for (const v1::AddressListStatus& list : reply.lists()) {
      table.add(
          {list.name(), fmt::format("{}", list.entries()),
           list.rule_ids().empty() ? "-" : fmt::format("{}", fmt::join(list.rule_ids(), ","))});
    }
    table.print();
  }
  return Exit::kOk;
}

Exit show(Session& session, v1::ListAddressListsRequest request) {
  request.set_page_size(10'000);
  v1::ListAddressListsResponse whole;
  do {
    v1::ListAddressListsResponse page = session.connection.call(&Shaper::ListAddressLists, request);
    request.set_page_token(page.next_page_token());
    if (!session.json) {
      for (const std::string& prefix : page.prefixes()) print_line(prefix);
      continue;
    }
    if (whole.lists().empty()) *whole.mutable_lists() = page.lists();
    for (std::string& prefix : *page.mutable_prefixes()) whole.add_prefixes(std::move(prefix));
  } while (!request.page_token().empty());
  if (session.json) print(whole);
  return Exit::kOk;
}

Exit remove(Session& session, const v1::DeleteAddressListRequest& request) {
  const v1::DeleteAddressListResponse reply =
      session.connection.call(&Shaper::DeleteAddressList, request);
  if (session.json) {
    print(reply);
  } else {
    print_line(fmt::format("list {} deleted, revision {}", request.name(), reply.revision()));
  }
  return Exit::kOk;
}

void add_change(CommandLine* line, CLI::App* command, const std::string& name,
                const std::string& help, const std::string& example, v1::AddressListMode mode) {
  auto request = std::make_shared<v1::SetAddressListRequest>();
  auto path = std::make_shared<std::string>();
  request->set_mode(mode);
  CLI::App* subcommand = line->add_subcommand(
      command, name, help, {example},
      [request, path](Session& session) { return set(session, *request, *path); });
  subcommand
      ->add_option_function<std::string>(
          "list", [request](const std::string& id) { request->mutable_list()->set_name(id); },
          "Name of the list")
      ->required();
  subcommand
      ->add_option_function<std::vector<std::string>>(
          "prefixes",
          [request](const std::vector<std::string>& prefixes) {
            for (const std::string& prefix : prefixes)
              request->mutable_list()->add_prefixes(prefix);
          },
          "192.0.2.0/24, 2001:db8::1")
      ->type_name("PREFIX");
  subcommand
      ->add_option("--file", *path,
                   "A file with a prefix on each line, # before a comment; - for standard input")
      ->type_name("FILE");
}

}  // namespace

void add_list_command(CommandLine* line) {
  CLI::App* command = line->add_command("list", "Address lists, which rules name");
  add_change(line, command, "set", "Make a list, or replace one",
             "list set customers --file customers.txt", v1::ADDRESS_LIST_MODE_REPLACE);
  add_change(line, command, "add", "Add prefixes to a list",
             "list add customers 198.51.100.7 2001:db8:7::/48", v1::ADDRESS_LIST_MODE_ADD);
  add_change(line, command, "remove", "Remove prefixes from a list",
             "list remove customers 198.51.100.7", v1::ADDRESS_LIST_MODE_REMOVE);

  auto names_only = std::make_shared<bool>(false);
  CLI::App* subcommand = line->add_subcommand(
      command, "list", "All lists", {"list list"},
      [names_only](Session& session) { return list_all(session, *names_only); });
  subcommand->add_flag("--names", *names_only, "Only the names")->group("");

  auto shown = std::make_shared<v1::ListAddressListsRequest>();
  subcommand = line->add_subcommand(command, "show", "The prefixes of a list",
                                    {"list show customers > customers.txt"},
                                    [shown](Session& session) { return show(session, *shown); });
  subcommand
      ->add_option_function<std::string>(
          "list", [shown](const std::string& id) { shown->set_name(id); }, "Name of the list")
      ->required();

  auto deletion = std::make_shared<v1::DeleteAddressListRequest>();
  subcommand =
      line->add_subcommand(command, "delete", "Delete a list", {"list delete customers"},
                           [deletion](Session& session) { return remove(session, *deletion); });
  subcommand
      ->add_option_function<std::string>(
          "list", [deletion](const std::string& id) { deletion->set_name(id); }, "Name of the list")
      ->required();
}

}  // namespace drip::cli
