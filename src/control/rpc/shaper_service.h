// SPDX-License-Identifier: BSD-3-Clause
// drip.v1.ShaperService: the shaper as a whole.
#pragma once

#include "control/rpc/calls/services_context.h"
#include "control/rpc/calls/stream_set.h"
#include "drip/v1/shaper.grpc.pb.h"

namespace drip::control {

/// See drip/v1/shaper.proto for each call. Whatever takes the configuration's lock runs on the work
/// thread.
class ShaperService final : public v1::ShaperService::CallbackService {
 public:
  /// Both outlive the service.
  ShaperService(const ServicesContext& context, StreamSet& streams)
      : context_(context), streams_(streams) {}

  grpc::ServerUnaryReactor* ConfigureBuckets(grpc::CallbackServerContext* call,
                                             const v1::ConfigureBucketsRequest* request,
                                             v1::ConfigureBucketsResponse* response) override;
  grpc::ServerUnaryReactor* ListBuckets(grpc::CallbackServerContext* call,
                                        const v1::ListBucketsRequest* request,
                                        v1::ListBucketsResponse* response) override;
  grpc::ServerWriteReactor<v1::WatchBucketsResponse>* WatchBuckets(
      grpc::CallbackServerContext* call, const v1::WatchBucketsRequest* request) override;
  grpc::ServerUnaryReactor* SetRules(grpc::CallbackServerContext* call,
                                     const v1::SetRulesRequest* request,
                                     v1::SetRulesResponse* response) override;
  grpc::ServerUnaryReactor* SetRule(grpc::CallbackServerContext* call,
                                    const v1::SetRuleRequest* request,
                                    v1::SetRuleResponse* response) override;
  grpc::ServerUnaryReactor* DeleteRule(grpc::CallbackServerContext* call,
                                       const v1::DeleteRuleRequest* request,
                                       v1::DeleteRuleResponse* response) override;
  grpc::ServerUnaryReactor* SetAddressList(grpc::CallbackServerContext* call,
                                           const v1::SetAddressListRequest* request,
                                           v1::SetAddressListResponse* response) override;
  grpc::ServerUnaryReactor* DeleteAddressList(grpc::CallbackServerContext* call,
                                              const v1::DeleteAddressListRequest* request,
                                              v1::DeleteAddressListResponse* response) override;
  grpc::ServerUnaryReactor* ListAddressLists(grpc::CallbackServerContext* call,
                                             const v1::ListAddressListsRequest* request,
                                             v1::ListAddressListsResponse* response) override;
  grpc::ServerUnaryReactor* ListRules(grpc::CallbackServerContext* call,
                                      const v1::ListRulesRequest* request,
                                      v1::ListRulesResponse* response) override;
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* call,
                                    const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override;
  grpc::ServerUnaryReactor* ListPorts(grpc::CallbackServerContext* call,
                                      const v1::ListPortsRequest* request,
                                      v1::ListPortsResponse* response) override;
  grpc::ServerUnaryReactor* ListLcores(grpc::CallbackServerContext* call,
                                       const v1::ListLcoresRequest* request,
                                       v1::ListLcoresResponse* response) override;
  grpc::ServerUnaryReactor* GetNode(grpc::CallbackServerContext* call,
                                    const v1::GetNodeRequest* request,
                                    v1::GetNodeResponse* response) override;

 private:
  const ServicesContext& context_;
  StreamSet& streams_;
};

}  // namespace drip::control
