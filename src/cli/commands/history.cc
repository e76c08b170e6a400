// SPDX-License-Identifier: BSD-3-Clause
// The command `history`: who changed what, and what was refused.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/fields/change_text.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"
#include "cli/session/interruption.h"

namespace drip::cli {
namespace {

constexpr timespec kPollInterval{1, 0};
constexpr std::uint32_t kPageSize = 1000;

struct Settings {
  v1::ListChangesRequest request;
  std::chrono::nanoseconds since{};  // 0: from the first one that is kept.
  bool follow = false;
};

using Changes = google::protobuf::RepeatedPtrField<v1::Change>;

// All pages.
v1::ListChangesResponse read_all(Session& session, v1::ListChangesRequest request) {
  request.set_page_size(kPageSize);
  v1::ListChangesResponse whole;
  do {
    v1::ListChangesResponse page = session.connection.call(&Shaper::ListChanges, request);
    request.set_page_token(page.next_page_token());
    whole.set_forgotten(page.forgotten());
    for (v1::Change& change : *page.mutable_changes()) whole.add_changes()->Swap(&change);
  } while (!request.page_token().empty());
  return whole;
}

// In columns that are as wide as in the tables before, as far as texts allow.
void print_table(const Changes& changes, bool with_titles) {
  Table table({{"TIME", Table::Align::kLeft, 23},
               {"CALLER", Table::Align::kLeft, 11},
               {"FROM", Table::Align::kLeft, 13},
               {"WHAT", Table::Align::kLeft, 10},
               {"CHANGE", Table::Align::kLeft}});
  for (const v1::Change& change : changes) {
    table.add({format_time(change.time()), or_dash(change.caller()), peer_text(change.peer()),
               target_text(change), outcome_text(change)});
  }
  table.print(with_titles);
}

// One line of JSON for each, so that programs can read line by line.
void print_json_lines(const Changes& changes) {
  for (const v1::Change& change : changes) {
    print_line(
        to_json(change).dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
}

Exit follow(Session& session, v1::ListChangesRequest request) {
  const sigset_t signals = block_interrupts();
  bool with_titles = true;
  do {
    const v1::ListChangesResponse some = read_all(session, request);
    if (session.json) {
      print_json_lines(some.changes());
    } else if (with_titles || !some.changes().empty()) {
      print_table(some.changes(), with_titles);
    }
    with_titles = false;
    request.clear_last();
    if (!some.changes().empty()) {
      request.set_after_number(some.changes().rbegin()->number());
    }
    // The reader closed the pipe, or the disk is full. main() reports it.
    if (std::fflush(stdout) != 0) break;
  } while (sigtimedwait(&signals, nullptr, &kPollInterval) < 0);
  return Exit::kOk;
}

Exit run(Session& session, const Settings& settings) {
  v1::ListChangesRequest request = settings.request;
  if (settings.since.count() > 0) {
    const auto from = std::chrono::system_clock::now() - settings.since;
    request.set_since(
        std::chrono::duration_cast<std::chrono::milliseconds>(from.time_since_epoch()).count());
  }
  if (settings.follow) return follow(session, std::move(request));
  const v1::ListChangesResponse all = read_all(session, request);
  if (session.json) {
    print(all);
  } else {
    print_table(all.changes(), true);
  }
  return Exit::kOk;
}

}  // namespace

void add_history_command(CommandLine* line) {
  CLI::App* command =
      line->add_command("history", "Who changed what, and which calls failed or were refused");
  auto settings = std::make_shared<Settings>();
  line->set_default_subcommand(command,
                               [settings](Session& session) { return run(session, *settings); });
  command->footer(
      "Examples:\n  dripctl history\n  dripctl history --bucket web --since 24h\n"
      "  dripctl history --caller ci --failed\n"
      "  dripctl history --json | jq -r '.changes[].target'");
  const std::shared_ptr<v1::ListChangesRequest> request(settings, &settings->request);
  request->set_last(100);
  const auto add_target = [&](const char* flag, const std::string& kind, const char* help) {
    return command
        ->add_option_function<std::string>(
            flag, [request, kind](const std::string& id) { request->set_target(kind + id); }, help)
        ->type_name("NAME");
  };
  CLI::Option* const bucket = add_target("--bucket", "bucket ", "Only changes of this bucket");
  CLI::Option* const rule = add_target("--rule", "rule ", "Only changes of this rule");
  CLI::Option* const list = add_target("--list", "list ", "Only changes of this address list");
  rule->excludes(bucket);
  list->excludes(bucket)->excludes(rule);
  command
      ->add_option_function<std::string>(
          "--caller", [request](const std::string& name) { request->set_caller(name); },
          "Only those of this caller: ci, 'certificate CN=ops', dripd for SIGHUP")
      ->type_name("NAME");
  command->add_flag_callback(
      "--failed", [request] { request->set_failed(true); },
      "Only calls that failed or were refused");
  add_parsed(
      command, "--since", "DURATION", "Only those of this time until now",
      [](std::string_view text) -> Parsed<std::chrono::nanoseconds> {
        const auto span = parse_duration(text);
        if (span && span->count() <= 0) {
          return not_allowed<std::chrono::nanoseconds>(text, "more than 0");
        }
        return span;
      },
      [settings](std::chrono::nanoseconds span) { settings->since = span; });
  CLI::Option* const last = add_parsed(
      command, "-n,--last", "N", "Only the last so many, 1 to 1000000 [100]",
      [](std::string_view text) { return parse_integer(text, 1, 1'000'000); },
      [request](std::int64_t count) { request->set_last(static_cast<std::uint32_t>(count)); });
  command
      ->add_flag_callback(
          "--all", [request] { request->set_last(0); }, "All that the node keeps")
      ->excludes(last);
  command->add_flag("--follow", settings->follow, "Go on with those to come, until interrupted");
}

}  // namespace drip::cli
