// SPDX-License-Identifier: BSD-3-Clause
#include "front/http/http_forwarding.h"

#include <grpcpp/client_context.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/rpc_method.h>

#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include "front/http/http_service.h"
#include "front/link/link.pb.h"

namespace drip::front {
namespace {

constexpr std::chrono::seconds kPatience{30};
// A page may be long; what civetweb takes of a request is at most 16 KiB.
constexpr std::array<std::string_view, 4> kHeaders = {"Accept", "Authorization", "Host",
                                                      "If-None-Match"};

}  // namespace

http::Server::Handler forwarding_handler(std::shared_ptr<grpc::Channel> channel,
                                         const std::string& name) {
  return [channel = std::move(channel), name](const http::Request& request) {
    HttpRequest message;
    message.set_server(name);
    message.set_path(std::string(request.path));
    message.set_query(std::string(request.query));
    for (const std::string_view header : kHeaders) {
      const std::string_view value = request.header(header);
      if (value.empty()) continue;
      HttpHeader& copy = *message.add_headers();
      copy.set_name(std::string(header));
      copy.set_value(std::string(value));
    }
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    HttpResponse answer;
    const grpc::Status status = grpc::internal::BlockingUnaryCall<HttpRequest, HttpResponse>(
        channel.get(),
        grpc::internal::RpcMethod(kHttpMethod, nullptr, grpc::internal::RpcMethod::NORMAL_RPC),
        &context, message, &answer);
    http::Response response;
    if (!status.ok()) {
      response.code = 503;
      response.body = "dripd does not answer: " + status.error_message() + "\n";
      return response;
    }
    response.code = answer.code();
    response.type = std::move(*answer.mutable_type());
    response.body = std::move(*answer.mutable_body());
    for (const HttpHeader& header : answer.headers()) {
      response.headers.emplace_back(header.name(), header.value());
    }
    return response;
  };
}

}  // namespace drip::front
