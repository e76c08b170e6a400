// SPDX-License-Identifier: BSD-3-Clause
// Makes the calls of a session, one after another, and checks each.
#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "fuzz/session/session_node.h"
#include "session.pb.h"

namespace drip::fuzz {

/// Ends the process unless an error is one of the caller's, in words.
void check_status(const grpc::Status& status);

/// Not thread safe. The node outlives it, and has been cleared.
class SessionCalls {
 public:
  explicit SessionCalls(SessionNode& node);

  /// Ends the process if something does not hold.
  void make(Call& call);
  /// To be called after the last one: what was read has changed nothing, and what the node tells of
  /// its configuration it takes.
  void finish();

 private:
  // A call that answers with one message and changes nothing.
  template <class Stub, class Request, class Response>
  grpc::Status ask(Stub& stub,
                   grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response& response);
  // One that may change something.
  template <class Stub, class Request, class Response>
  bool change(Stub& stub,
              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
              const Request& request, Response& response);
  // The next page of the same list, if the token says so.
  template <class Request>
  void resolve_token(Request& request);
  template <class Message>
  void resolve_revision(Message& message, std::uint64_t present) const;

  void check_change(bool accepted, const ConfigSnapshot& now);
  void configure_bucket(v1::ConfigureBucketRequest& request);
  void configure_buckets(v1::ConfigureBucketsRequest& request);
  void delete_bucket(v1::DeleteBucketRequest& request);
  void set_rules(v1::SetRulesRequest& request);
  void set_rule(const v1::SetRuleRequest& request);
  void set_list(const v1::SetAddressListRequest& request);
  void allow_request(const v1::AllowRequestRequest& request);
  void allow_requests(const v1::AllowRequestsRequest& request);
  void await_turn(const v1::AwaitTurnRequest& request);
  void await_turns(const v1::AwaitTurnsRequest& request);
  void watch_buckets(const v1::WatchBucketsRequest& request);
  void watch_top(const v1::WatchTopRequest& request);
  void capture(const v1::CaptureRequest& request);
  void make_read(Call& call);
  void make_on_engine(const Call& call);
  [[nodiscard]] std::uint64_t revision_of(const std::string& bucket_id) const;

  SessionNode& node_;
  ConfigSnapshot present_;
  std::map<std::string, std::string> tokens_;  // By the name of the request.
  int waits_ = 0;  // Calls that last until a deadline: few of them, or nothing else is tried.
};

template <class Stub, class Request, class Response>
grpc::Status SessionCalls::ask(Stub& stub,
                               grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                            Response*),
                               const Request& request, Response& response) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const grpc::Status status = (stub.*method)(&context, request, &response);
  check_status(status);
  return status;
}

template <class Stub, class Request, class Response>
bool SessionCalls::change(Stub& stub,
                          grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                       Response*),
                          const Request& request, Response& response) {
  const bool accepted = ask(stub, method, request, response).ok();
  check_change(accepted, node_.snapshot());
  return accepted;
}

}  // namespace drip::fuzz
