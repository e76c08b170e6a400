// SPDX-License-Identifier: BSD-3-Clause
// drip.v1.ShaperService: the shaper as a whole.
#pragma once

#include "control/rpc/calls/services_context.h"
#include "control/rpc/guarded_service.h"
#include "control/rpc/streams/capture_session.h"
#include "control/rpc/streams/stream_set.h"
#include "control/rpc/streams/watch_top.h"
#include "drip/v1/shaper.grpc.pb.h"

namespace drip::control {

/// See drip/v1/shaper.proto for each call. Whatever takes the configuration's lock runs on the work
/// thread.
class ShaperService final : public GuardedService<v1::ShaperService> {
 public:
  /// Both outlive the service.
  ShaperService(const ServicesContext& context, StreamSet& streams);

 private:
  friend class GuardedService<v1::ShaperService>;

  grpc::ServerUnaryReactor* on_configure_buckets(const Admitted& admitted,
                                                 grpc::CallbackServerContext* call,
                                                 const v1::ConfigureBucketsRequest* request,
                                                 v1::ConfigureBucketsResponse* response);
  grpc::ServerUnaryReactor* on_list_buckets(const Admitted& admitted,
                                            grpc::CallbackServerContext* call,
                                            const v1::ListBucketsRequest* request,
                                            v1::ListBucketsResponse* response);
  grpc::ServerWriteReactor<v1::WatchBucketsResponse>* on_watch_buckets(
      const Admitted& admitted, grpc::CallbackServerContext* call,
      const v1::WatchBucketsRequest* request);
  grpc::ServerBidiReactor<v1::WatchTopRequest, v1::WatchTopResponse>* on_watch_top(
      const Admitted& admitted, grpc::CallbackServerContext* call);
  grpc::ServerUnaryReactor* on_set_rules(const Admitted& admitted,
                                         grpc::CallbackServerContext* call,
                                         const v1::SetRulesRequest* request,
                                         v1::SetRulesResponse* response);
  grpc::ServerUnaryReactor* on_set_rule(const Admitted& admitted, grpc::CallbackServerContext* call,
                                        const v1::SetRuleRequest* request,
                                        v1::SetRuleResponse* response);
  grpc::ServerUnaryReactor* on_delete_rule(const Admitted& admitted,
                                           grpc::CallbackServerContext* call,
                                           const v1::DeleteRuleRequest* request,
                                           v1::DeleteRuleResponse* response);
  grpc::ServerUnaryReactor* on_set_address_list(const Admitted& admitted,
                                                grpc::CallbackServerContext* call,
                                                const v1::SetAddressListRequest* request,
                                                v1::SetAddressListResponse* response);
  grpc::ServerUnaryReactor* on_delete_address_list(const Admitted& admitted,
                                                   grpc::CallbackServerContext* call,
                                                   const v1::DeleteAddressListRequest* request,
                                                   v1::DeleteAddressListResponse* response);
  grpc::ServerUnaryReactor* on_list_address_lists(const Admitted& admitted,
                                                  grpc::CallbackServerContext* call,
                                                  const v1::ListAddressListsRequest* request,
                                                  v1::ListAddressListsResponse* response);
  grpc::ServerUnaryReactor* on_list_rules(const Admitted& admitted,
                                          grpc::CallbackServerContext* call,
                                          const v1::ListRulesRequest* request,
                                          v1::ListRulesResponse* response);
  grpc::ServerUnaryReactor* on_explain(const Admitted& admitted, grpc::CallbackServerContext* call,
                                       const v1::ExplainRequest* request,
                                       v1::ExplainResponse* response);
  grpc::ServerUnaryReactor* on_get_bucket_traffic(const Admitted& admitted,
                                                  grpc::CallbackServerContext* call,
                                                  const v1::GetBucketTrafficRequest* request,
                                                  v1::GetBucketTrafficResponse* response);
  grpc::ServerWriteReactor<v1::CaptureResponse>* on_capture(const Admitted& admitted,
                                                            grpc::CallbackServerContext* call,
                                                            const v1::CaptureRequest* request);
  grpc::ServerUnaryReactor* on_list_ports(const Admitted& admitted,
                                          grpc::CallbackServerContext* call,
                                          const v1::ListPortsRequest* request,
                                          v1::ListPortsResponse* response);
  grpc::ServerUnaryReactor* on_list_lcores(const Admitted& admitted,
                                           grpc::CallbackServerContext* call,
                                           const v1::ListLcoresRequest* request,
                                           v1::ListLcoresResponse* response);
  grpc::ServerUnaryReactor* on_get_node(const Admitted& admitted, grpc::CallbackServerContext* call,
                                        const v1::GetNodeRequest* request,
                                        v1::GetNodeResponse* response);
  grpc::ServerUnaryReactor* on_list_changes(const Admitted& admitted,
                                            grpc::CallbackServerContext* call,
                                            const v1::ListChangesRequest* request,
                                            v1::ListChangesResponse* response);

  StreamSet& streams_;
  TopRecorders recorders_;
  CapturePlace capture_place_;
};

}  // namespace drip::control
