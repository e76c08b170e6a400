// SPDX-License-Identifier: BSD-3-Clause
// Every RPC of both services, answered from the script.
#include "fake_server.h"

#include <chrono>
#include <stdexcept>
#include <thread>

namespace drip {
namespace {

using grpc::ServerContext;
using grpc::Status;
using namespace v1;  // NOLINT(google-build-using-namespace): for all messages of the API.

void wait_until_cancelled(ServerContext* context, Script* script) {
  while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  ++script->cancelled;
}

}  // namespace

std::vector<WatchBucketsResponse> Script::states() const {
  const std::lock_guard lock(mutex_);
  std::vector<WatchBucketsResponse> result;
  const auto replies = replies_.find(WatchBucketsResponse::descriptor());
  if (replies == replies_.end()) return result;
  for (const auto& state : replies->second) {
    result.push_back(static_cast<const WatchBucketsResponse&>(*state));
  }
  return result;
}

class FakeServer::RateLimiter : public RateLimiterService::Service {
 public:
  explicit RateLimiter(Script* script) : script_(script) {}

  Status AllowRequest(ServerContext*, const AllowRequestRequest* request,
                      AllowRequestResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status AwaitTurn(ServerContext* context, const AwaitTurnRequest* request,
                   AwaitTurnResponse* reply) override {
    const Status status = script_->answer(request, reply);
    if (script_->hold) wait_until_cancelled(context, script_);
    return status;
  }
  // The replies one after the other, one for each entry.
  Status AwaitTurns(
      ServerContext*,
      grpc::ServerReaderWriter<AwaitTurnsResponse, AwaitTurnsRequest>* stream) override {
    AwaitTurnsRequest request;
    Status status;
    while (stream->Read(&request)) {
      for (int i = 0; i < request.entries_size(); ++i) {
        AwaitTurnsResponse reply;
        status = script_->answer(&request, &reply);
        if (!status.ok()) return status;
        stream->Write(reply);
      }
    }
    return status;
  }
  Status GetBucketStatus(ServerContext*, const GetBucketStatusRequest* request,
                         GetBucketStatusResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status ConfigureBucket(ServerContext*, const ConfigureBucketRequest* request,
                         ConfigureBucketResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status DeleteBucket(ServerContext*, const DeleteBucketRequest* request,
                      DeleteBucketResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status GetQueuedRequests(ServerContext*, const GetQueuedRequestsRequest* request,
                           GetQueuedRequestsResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status GetLeader(ServerContext*, const GetLeaderRequest* request,
                   GetLeaderResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status GetClusterStatus(ServerContext*, const GetClusterStatusRequest* request,
                          GetClusterStatusResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status ForgetNode(ServerContext*, const ForgetNodeRequest* request,
                    ForgetNodeResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status GetClusterShares(ServerContext*, const GetClusterSharesRequest* request,
                          GetClusterSharesResponse* reply) override {
    return script_->answer(request, reply);
  }

 private:
  Script* script_;
};

class FakeServer::Shaper : public ShaperService::Service {
 public:
  explicit Shaper(Script* script) : script_(script) {}

  Status ListBuckets(ServerContext*, const ListBucketsRequest* request,
                     ListBucketsResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status WatchBuckets(ServerContext* context, const WatchBucketsRequest* request,
                      grpc::ServerWriter<WatchBucketsResponse>* writer) override {
    const Status status = script_->take(request);
    if (!status.ok()) return status;
    for (const WatchBucketsResponse& state : script_->states()) writer->Write(state);
    if (script_->hold) wait_until_cancelled(context, script_);
    return status;
  }
  // The replies of the script are one message of the stream.
  Status Capture(ServerContext*, const CaptureRequest* request,
                 grpc::ServerWriter<CaptureResponse>* writer) override {
    CaptureResponse reply;
    const Status status = script_->answer(request, &reply);
    if (status.ok()) writer->Write(reply);
    return status;
  }
  // The replies one after the other, one for each request.
  Status WatchTop(ServerContext*,
                  grpc::ServerReaderWriter<WatchTopResponse, WatchTopRequest>* stream) override {
    WatchTopRequest request;
    Status status;
    while (stream->Read(&request)) {
      WatchTopResponse reply;
      status = script_->answer(&request, &reply);
      if (!status.ok()) return status;
      stream->Write(reply);
    }
    return status;
  }
  Status SetRules(ServerContext*, const SetRulesRequest* request,
                  SetRulesResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status SetRule(ServerContext*, const SetRuleRequest* request, SetRuleResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status DeleteRule(ServerContext*, const DeleteRuleRequest* request,
                    DeleteRuleResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status SetAddressList(ServerContext*, const SetAddressListRequest* request,
                        SetAddressListResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status DeleteAddressList(ServerContext*, const DeleteAddressListRequest* request,
                           DeleteAddressListResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status ListAddressLists(ServerContext*, const ListAddressListsRequest* request,
                          ListAddressListsResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status ListRules(ServerContext*, const ListRulesRequest* request,
                   ListRulesResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status GetBucketTraffic(ServerContext*, const GetBucketTrafficRequest* request,
                          GetBucketTrafficResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status ListChanges(ServerContext*, const ListChangesRequest* request,
                     ListChangesResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status Explain(ServerContext*, const ExplainRequest* request, ExplainResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status ListPorts(ServerContext*, const ListPortsRequest* request,
                   ListPortsResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status ListLcores(ServerContext*, const ListLcoresRequest* request,
                    ListLcoresResponse* reply) override {
    return script_->answer(request, reply);
  }
  Status GetNode(ServerContext*, const GetNodeRequest* request, GetNodeResponse* reply) override {
    return script_->answer(request, reply);
  }

 private:
  Script* script_;
};

FakeServer::FakeServer(const std::string& address)
    : rate_limiter_(std::make_unique<RateLimiter>(&script_)),
      shaper_(std::make_unique<Shaper>(&script_)) {
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(rate_limiter_.get());
  builder.RegisterService(shaper_.get());
  server_ = builder.BuildAndStart();
  if (!server_) throw std::runtime_error("cannot listen on " + address);
  const bool unix_socket = address.starts_with("unix:");
  address_ =
      unix_socket ? address : address.substr(0, address.rfind(':') + 1) + std::to_string(port);
}

FakeServer::~FakeServer() { server_->Shutdown(std::chrono::system_clock::now()); }

}  // namespace drip
