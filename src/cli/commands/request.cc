// SPDX-License-Identifier: BSD-3-Clause
// The noun `request`: allow, await, list.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands/commands.h"
#include "cli/fields/bucket_text.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

std::string rejection(const std::string& request_id, v1::RejectReason reason) {
  return fmt::format("request {} rejected: {}", or_dash(request_id), reason_in_words(reason));
}

Exit allow(Session& session, const v1::AllowRequestRequest& request) {
  const v1::AllowRequestResponse reply =
      session.connection.call(&RateLimiter::AllowRequest, request);
  if (session.json) {
    print(reply);
  } else if (reply.allowed()) {
    print_line(fmt::format("request {} allowed: position {}, waits {}{}", reply.request_id(),
                           reply.queue_position(),
                           brief_duration(static_cast<std::uint64_t>(reply.estimated_wait_ns())),
                           reply.duplicate() ? " (was queued already)" : ""));
  } else {
    print_line(rejection(reply.request_id(), reply.reason()));
  }
  return reply.allowed() ? Exit::kOk : Exit::kRejected;
}

Exit await(Session& session, const v1::AwaitTurnRequest& request) {
  const v1::AwaitTurnResponse reply =
      session.connection.call(&RateLimiter::AwaitTurn, request, Connection::Patience::kUnbounded);
  const bool left = reply.allowed() && !reply.dropped();
  if (session.json) {
    print(reply);
  } else if (left) {
    print_line(fmt::format("request {} left after {}, {} late", reply.request_id(),
                           brief_duration(static_cast<std::uint64_t>(reply.sojourn_ns())),
                           brief_duration(static_cast<std::uint64_t>(reply.lateness_ns()))));
  } else if (reply.allowed()) {
    print_line(fmt::format("request {} dropped: its bucket was deleted", reply.request_id()));
  } else {
    print_line(rejection(reply.request_id(), reply.reason()));
  }
  return left ? Exit::kOk : Exit::kRejected;
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
    json.erase("next_page_token");  // All pages are here.
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
               brief_duration(static_cast<std::uint64_t>(queued.estimated_wait_ns()))});
  }
  table.print();
  return Exit::kOk;
}

// Request is AllowRequestRequest or AwaitTurnRequest.
template <typename Request>
void add_request_flags(CLI::App* verb, std::shared_ptr<Request> request) {
  verb->add_option_function<std::string>(
          "bucket", [request](const std::string& id) { request->set_bucket_id(id); },
          "Name of the bucket")
      ->required();
  verb->add_option_function<std::string>(
          "--id", [request](const std::string& id) { request->set_request_id(id); },
          "Asked again while it is queued, the same id keeps its place;\n"
          "the server makes one up if none is given")
      ->type_name("TEXT");
  add_whole<std::uint32_t>(verb, "--bytes", "What is charged where the bucket leaks bits",
                           [request](std::uint32_t bytes) { request->set_bytes(bytes); });
}

}  // namespace

void add_request_noun(CommandLine* line) {
  CLI::App* noun = line->add_noun("request", "Requests through buckets, without packets");

  auto admission = std::make_shared<v1::AllowRequestRequest>();
  CLI::App* verb = line->add_verb(
      noun, "allow", "Admit a request and answer at once; exit code 1 if it is rejected",
      {"request allow jobs", "request allow jobs --id order-17 --json",
       "request allow uplink --bytes 1500"},
      [admission](Session& session) { return allow(session, *admission); });
  add_request_flags(verb, admission);

  auto turn = std::make_shared<v1::AwaitTurnRequest>();
  verb = line->add_verb(
      noun, "await", "Admit a request and return when it has leaked; exit code 1 if it does not",
      {"request await jobs && ./send-one", "request await jobs --id order-17 --timeout 30s",
       "request await jobs --timeout 2s --release-on-cancel"},
      [turn](Session& session) { return await(session, *turn); });
  add_request_flags(verb, turn);
  verb->add_flag_callback(
      "--release-on-cancel", [turn] { turn->set_release_on_cancel(true); },
      "Give the place up if --timeout passes or dripctl is interrupted");

  auto queue = std::make_shared<v1::GetQueuedRequestsRequest>();
  verb = line->add_verb(noun, "list", "Requests that wait in a bucket, head first",
                        {"request list jobs", "request list jobs --json"},
                        [queue](Session& session) { return list(session, *queue); });
  verb->add_option_function<std::string>(
          "bucket", [queue](const std::string& id) { queue->set_bucket_id(id); },
          "Name of the bucket")
      ->required();
}

}  // namespace drip::cli
