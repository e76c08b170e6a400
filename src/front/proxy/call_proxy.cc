// SPDX-License-Identifier: BSD-3-Clause
#include "front/proxy/call_proxy.h"

#include <google/protobuf/descriptor.h>

#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"
#include "front/proxy/call_relay.h"
#include "front/proxy/unary_relay.h"

namespace drip::front {
namespace {

class Refused final : public grpc::ServerGenericBidiReactor {
 public:
  Refused() { Finish({grpc::StatusCode::UNIMPLEMENTED, "no such method"}); }
  void OnDone() override { delete this; }
};

}  // namespace

bool is_passed_on(std::string_view method) {
  return method.starts_with("/drip.v1.") || method.starts_with("/grpc.health.v1.Health/") ||
         method.starts_with("/grpc.reflection.v1alpha.ServerReflection/");
}

CallProxy::CallProxy(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {
  const auto* const pool = google::protobuf::DescriptorPool::generated_pool();
  for (const char* const full_name :
       {v1::RateLimiterService::service_full_name(), v1::ShaperService::service_full_name()}) {
    const auto* const service = pool->FindServiceByName(full_name);
    if (service == nullptr) continue;
    for (int i = 0; i < service->method_count(); ++i) {
      const auto* const method = service->method(i);
      if (method->client_streaming() || method->server_streaming()) continue;
      unary_.insert("/" + service->full_name() + "/" + method->name());
    }
  }
}

grpc::ServerGenericBidiReactor* CallProxy::CreateReactor(grpc::GenericCallbackServerContext* call) {
  if (!is_passed_on(call->method())) return new Refused;
  if (unary_.contains(call->method())) return new UnaryRelay(stub_, *call);
  return new CallRelay(stub_, *call);
}

}  // namespace drip::front
