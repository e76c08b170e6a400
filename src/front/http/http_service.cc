// SPDX-License-Identifier: BSD-3-Clause
#include "front/http/http_service.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <chrono>
#include <utility>

#include "front/link/link.pb.h"

namespace drip::front {
namespace {

// The thread has nothing else to do.
constexpr std::chrono::hours kNoHousekeeping{1};

http::Request request_of(const HttpRequest& message) {
  http::Request request{message.path(), message.query(), {}};
  for (const HttpHeader& header : message.headers()) {
    request.headers.emplace_back(header.name(), header.value());
  }
  return request;
}

HttpResponse message_of(const http::Response& response) {
  HttpResponse message;
  message.set_code(response.code);
  message.set_type(response.type);
  message.set_body(response.body);
  for (const auto& [name, value] : response.headers) {
    HttpHeader& header = *message.add_headers();
    header.set_name(name);
    header.set_value(value);
  }
  return message;
}

}  // namespace

HttpService::Responder::Responder(const char* thread_name, http::Server::Handler the_handler)
    : handler(std::move(the_handler)), thread(thread_name, kNoHousekeeping, [] {}) {}

class HttpService::Call final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Call(HttpService& service) : service_(service) { StartRead(&request_); }

 private:
  void OnDone() override { delete this; }

  void OnReadDone(bool ok) override {
    HttpRequest message;
    grpc::ProtoBufferReader reader(&request_);
    if (!ok || !message.ParseFromZeroCopyStream(&reader)) {
      return Finish({grpc::StatusCode::INVALID_ARGUMENT, "no request of HTTP"});
    }
    const std::shared_ptr<Responder> responder = service_.find(message.server());
    if (responder == nullptr) return answer({503, "text/plain", "the node is stopping\n", {}});
    const bool posted =
        responder->thread.post([this, &handler = responder->handler, message = std::move(message)] {
          answer(handler(request_of(message)));
        });
    if (!posted) answer({503, "text/plain", "the node is stopping\n", {}});
  }

  void answer(const http::Response& response) {
    bool own_buffer = false;
    const grpc::Status status = grpc::SerializationTraits<HttpResponse>::Serialize(
        message_of(response), &response_, &own_buffer);
    if (!status.ok()) return Finish(status);
    StartWriteAndFinish(&response_, grpc::WriteOptions(), grpc::Status::OK);
  }

  HttpService& service_;
  grpc::ByteBuffer request_, response_;
};

namespace {

class Unimplemented final : public grpc::ServerGenericBidiReactor {
 public:
  Unimplemented() { Finish({grpc::StatusCode::UNIMPLEMENTED, ""}); }
  void OnDone() override { delete this; }
};

}  // namespace

void HttpService::add(const std::string& server, http::Server::Handler handler) {
  const std::string name = "drip-" + server;
  auto responder = std::make_shared<Responder>(name.c_str(), std::move(handler));
  MutexLock lock(mutex_);
  responders_[server] = std::move(responder);
}

void HttpService::remove(const std::string& server) {
  std::shared_ptr<Responder> responder;
  {
    MutexLock lock(mutex_);
    const auto found = responders_.find(server);
    if (found == responders_.end()) return;
    responder = std::move(found->second);
    responders_.erase(found);
  }
  responder->thread.stop();
}

std::shared_ptr<HttpService::Responder> HttpService::find(const std::string& server) {
  MutexLock lock(mutex_);
  const auto found = responders_.find(server);
  return found == responders_.end() ? nullptr : found->second;
}

grpc::ServerGenericBidiReactor* HttpService::CreateReactor(
    grpc::GenericCallbackServerContext* call) {
  if (call->method() != kHttpMethod) return new Unimplemented;
  return new Call(*this);
}

}  // namespace drip::front
