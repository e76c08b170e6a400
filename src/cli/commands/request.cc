// SPDX-License-Identifier: BSD-3-Clause
// The command `request`: allow, await, list.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/fields/bucket_text.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

// Message is AllowRequestResponse, AwaitTurnResponse or QueuedRequest.
template <typename Message>
std::string wait_in_words(const Message& message) {
  // See AllowRequestResponse in rate_limiter.proto.
  constexpr std::int64_t kUnknown = std::int64_t{1} << 62;
  if (message.estimated_wait_ns() >= kUnknown) return "nobody knows how long";
  return (message.wait_is_estimate() ? "about " : "") +
         brief_duration(static_cast<std::uint64_t>(message.estimated_wait_ns()));
}

// Reply is AllowRequestResponse or AwaitTurnResponse.
template <typename Reply>
std::string rejection(const Reply& reply) {
  std::string reason = reason_in_words(reply.reason());
  if (reply.reason() == v1::REJECT_REASON_WAIT_TOO_LONG) {
    reason += ", " + wait_in_words(reply);
  }
  return fmt::format("request {} rejected: {}", or_dash(reply.request_id()), reason);
}

std::string known_already(bool duplicate, std::uint64_t position) {
  if (!duplicate) return "";
  return position > 0 ? " (was queued already)" : " (has left already)";
}

Exit allow(Session& session, const v1::AllowRequestRequest& request) {
  const v1::AllowRequestResponse reply =
      session.connection.call(&RateLimiter::AllowRequest, request);
  if (session.json) {
    print(reply);
  } else if (reply.allowed()) {
    print_line(fmt::format("request {} {}: position {}, waits {}{}", or_dash(reply.request_id()),
                           request.peek() ? "would be allowed" : "allowed", reply.queue_position(),
                           wait_in_words(reply),
                           known_already(reply.duplicate(), reply.queue_position())));
  } else {
    print_line(rejection(reply));
  }
  return reply.allowed() ? Exit::kOk : Exit::kRejected;
}

bool has_left(const v1::AwaitTurnResponse& turn) { return turn.allowed() && !turn.dropped(); }

std::string turn_in_words(const v1::AwaitTurnResponse& turn) {
  if (has_left(turn)) {
    return fmt::format("request {} left after {}, {} late", turn.request_id(),
                       brief_duration(static_cast<std::uint64_t>(turn.sojourn_ns())),
                       brief_duration(static_cast<std::uint64_t>(turn.lateness_ns())));
  }
  if (!turn.allowed()) return rejection(turn);
  return fmt::format("request {} dropped: its bucket was deleted", turn.request_id());
}

// What the command `await` asks for; `request` has what is the same for all ids.
struct Turns {
  v1::AwaitTurnRequest request;
  std::vector<std::string> ids;
};
// Entries of a message.
constexpr std::size_t kMostIds = 1024;

Exit await_one(Session& session, const v1::AwaitTurnRequest& request) {
  const v1::AwaitTurnResponse reply =
      session.connection.call(&RateLimiter::AwaitTurn, request, Connection::Patience::kUnbounded);
  if (session.json) {
    print(reply);
  } else {
    print_line(turn_in_words(reply));
  }
  return has_left(reply) ? Exit::kOk : Exit::kRejected;
}

// On one call; each is reported as it leaves.
Exit await_all(Session& session, const Turns& turns) {
  grpc::ClientContext context;
  session.connection.set_deadline(&context, Connection::Patience::kUnbounded);
  const auto stream = session.connection.rate_limiter(&context).AwaitTurns(&context);
  v1::AwaitTurnsRequest request;
  for (const std::string& id : turns.ids) {
    v1::AwaitTurnsEntry& entry = *request.add_entries();
    entry.set_tag(static_cast<std::uint64_t>(request.entries_size() - 1));
    entry.set_request_id(id);
    entry.set_bucket_id(turns.request.bucket_id());
    if (turns.request.has_bytes()) entry.set_bytes(turns.request.bytes());
    if (turns.request.has_max_wait_ns()) entry.set_max_wait_ns(turns.request.max_wait_ns());
    entry.set_remember_ns(turns.request.remember_ns());
    entry.set_release_on_cancel(turns.request.release_on_cancel());
  }
  // If it fails, Finish() tells why.
  if (stream->Write(request)) stream->WritesDone();
  Exit exit = Exit::kOk;
  grpc::Status error;
  v1::AwaitTurnsResponse reply;
  while (stream->Read(&reply)) {
    for (const v1::AwaitTurnsResult& result : reply.results()) {
      const bool failed = result.code() != 0;
      if (failed && error.ok()) {
        error = {static_cast<grpc::StatusCode>(result.code()),
                 fmt::format("request {}: {}", turns.ids.at(result.tag()), result.error())};
      }
      if (session.json) {
        print(result);
      } else if (!failed) {
        print_line(turn_in_words(result.turn()));
      }
      if (!failed && !has_left(result.turn())) exit = Exit::kRejected;
    }
  }
  session.connection.check(stream->Finish());
  session.connection.check(error);
  return exit;
}

Exit await(Session& session, Turns turns) {
  if (turns.ids.size() > kMostIds) {
    throw UsageError(
        fmt::format("--id: {} ids are not allowed; allowed: up to {}", turns.ids.size(), kMostIds));
  }
  if (turns.ids.size() > 1) return await_all(session, turns);
  if (!turns.ids.empty()) turns.request.set_request_id(turns.ids.front());
  return await_one(session, turns.request);
}

Exit list(Session& session, v1::GetQueuedRequestsRequest request) {
  request.set_page_size(1000);
  v1::GetQueuedRequestsResponse all;
  do {
    v1::GetQueuedRequestsResponse page =
        session.connection.call(&RateLimiter::GetQueuedRequests, request);
    request.set_page_token(page.next_page_token());
    all.mutable_requests()->MergeFrom(page.requests());
  } while (!request.page_token().empty());

  if (session.json) {
    nlohmann::ordered_json json = to_json(all);
    json.erase("next_page_token");  // The list is complete.
    print(json);
    return Exit::kOk;
  }
  Table table({{"POSITION"},
               {"REQUEST", Table::Align::kLeft},
               {"CAME", Table::Align::kLeft},
               {"STARTS", Table::Align::kLeft},
               {"WAITS"}});
  for (const v1::QueuedRequest& queued : all.requests()) {
    table.add({fmt::format("{}", queued.queue_position()), queued.request_id(),
               format_time(queued.enqueue_time()), format_time(queued.estimated_process_time()),
               wait_in_words(queued)});
  }
  table.print();
  return Exit::kOk;
}

constexpr const char* kIdHelp =
    "A request with the id of a queued one keeps that one's position and is not charged\n"
    "again; the server makes an id if none is given";

// Request is AllowRequestRequest or AwaitTurnRequest.
template <typename Request>
void add_request_flags(CLI::App* subcommand, std::shared_ptr<Request> request) {
  add_whole<std::uint32_t>(subcommand, "--bytes",
                           "Size of the request, needed if the bucket leaks bits",
                           [request](std::uint32_t bytes) { request->set_bytes(bytes); });
  add_parsed(subcommand, "--max-wait", "DURATION",
             "Reject it, at no charge, if its service would start later than this from now",
             parse_duration, [request](std::chrono::nanoseconds span) {
               request->set_max_wait_ns(static_cast<std::uint64_t>(span.count()));
             });
  add_parsed(subcommand, "--remember", "DURATION",
             "Answer a call with the same --id as the same request for so long after it has left",
             parse_duration, [request](std::chrono::nanoseconds span) {
               request->set_remember_ns(static_cast<std::uint64_t>(span.count()));
             });
}

}  // namespace

void add_request_command(CommandLine* line) {
  CLI::App* command = line->add_command("request", "Requests through buckets, without packets");

  auto admission = std::make_shared<v1::AllowRequestRequest>();
  CLI::App* subcommand = line->add_subcommand(
      command, "allow", "Admit a request and return at once; exit code 1 if it is rejected",
      {"request allow jobs", "request allow jobs --id order-17 --json",
       "request allow uplink --bytes 1500", "request allow jobs --max-wait 2s --peek",
       "request allow jobs --id order-17 --remember 1min"},
      [admission](Session& session) { return allow(session, *admission); });
  add_bucket_id(subcommand, admission);
  subcommand
      ->add_option_function<std::string>(
          "--id", [admission](const std::string& id) { admission->set_request_id(id); }, kIdHelp)
      ->type_name("TEXT");
  add_request_flags(subcommand, admission);
  subcommand->add_flag_callback(
      "--peek", [admission] { admission->set_peek(true); },
      "Only tell what would happen: admit, charge and count nothing");

  auto turns = std::make_shared<Turns>();
  const std::shared_ptr<v1::AwaitTurnRequest> turn(turns, &turns->request);
  subcommand = line->add_subcommand(
      command, "await",
      "Admit a request and return when it leaves; exit code 1 if it is rejected or dropped",
      {"request await jobs && ./send-one", "request await jobs --id order-17 --timeout 30s",
       "request await jobs --timeout 2s --release-on-cancel",
       "request await jobs --id order-17 --id order-18 --json"},
      [turns](Session& session) { return await(session, *turns); });
  add_bucket_id(subcommand, turn);
  subcommand
      ->add_option("--id", turns->ids,
                   std::string(kIdHelp) + ".\nRepeatable: all wait on one call, up to 1024")
      ->type_name("TEXT")
      ->allow_extra_args(false);
  add_request_flags(subcommand, turn);
  subcommand->add_flag_callback(
      "--release-on-cancel", [turn] { turn->set_release_on_cancel(true); },
      "Release the request if --timeout passes or dripctl is interrupted");

  auto queue = std::make_shared<v1::GetQueuedRequestsRequest>();
  subcommand = line->add_subcommand(command, "list",
                                    "Requests that wait in a bucket, first the next to leave",
                                    {"request list jobs", "request list jobs --json"},
                                    [queue](Session& session) { return list(session, *queue); });
  add_bucket_id(subcommand, queue);
}

}  // namespace drip::cli
