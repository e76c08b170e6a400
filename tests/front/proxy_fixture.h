// SPDX-License-Identifier: BSD-3-Clause
// A node that answers anything, a proxy before it, and a client of the proxy.
#pragma once

#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "front/proxy/call_proxy.h"

namespace drip::front {

inline grpc::ByteBuffer buffer_of(const std::string& text) {
  const grpc::Slice slice(text);
  return {&slice, 1};
}
inline std::string text_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!buffer.Dump(&slices).ok()) return text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

/// Makes a reactor for each call.
class Backend final : public grpc::CallbackGenericService {
 public:
  using Make = std::function<grpc::ServerGenericBidiReactor*(grpc::GenericCallbackServerContext*)>;
  Make make;

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* call) override {
    return make(call);
  }
};

/// One call, step by step. The tests wait for each.
class GenericCall {
 public:
  GenericCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
              std::chrono::milliseconds deadline = std::chrono::seconds(20),
              const std::multimap<std::string, std::string>& metadata = {})
      : stub_(channel) {
    for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    call_ = stub_.PrepareCall(&context, method, &queue_);
    call_->StartCall(nullptr);
    (void)step();
  }
  ~GenericCall() {
    context.TryCancel();
    if (!finished_) (void)finish();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  GenericCall(const GenericCall&) = delete;
  GenericCall& operator=(const GenericCall&) = delete;

  bool write(const std::string& text) {
    call_->Write(buffer_of(text), nullptr);
    return step();
  }
  bool end_writes() {
    call_->WritesDone(nullptr);
    return step();
  }
  std::optional<std::string> read() {
    grpc::ByteBuffer buffer;
    call_->Read(&buffer, nullptr);
    if (!step()) return std::nullopt;
    return text_of(buffer);
  }
  grpc::Status finish() {
    finished_ = true;
    grpc::Status status;
    call_->Finish(&status, nullptr);
    (void)step();
    return status;
  }
  std::string trailing(const std::string& key) const {
    const auto& all = context.GetServerTrailingMetadata();
    const auto found = all.find(key);
    return found == all.end() ? "" : std::string(found->second.data(), found->second.size());
  }
  std::string initial(const std::string& key) const {
    const auto& all = context.GetServerInitialMetadata();
    const auto found = all.find(key);
    return found == all.end() ? "" : std::string(found->second.data(), found->second.size());
  }

  grpc::ClientContext context;

 private:
  bool step() {
    void* tag = nullptr;
    bool ok = false;
    return queue_.Next(&tag, &ok) && ok;
  }

  grpc::GenericStub stub_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool finished_ = false;
};

class ProxyFixture : public testing::Test {
 protected:
  ProxyFixture() {
    grpc::ServerBuilder backend;
    backend.RegisterCallbackGenericService(&backend_);
    backend_server_ = backend.BuildAndStart();
    std::array<int, 2> sockets{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets.data()),
              0);
    grpc::AddInsecureChannelFromFd(backend_server_.get(), sockets[0]);
    proxy_.emplace(grpc::CreateInsecureChannelFromFd("node", sockets[1]));
    grpc::ServerBuilder front;
    front.RegisterCallbackGenericService(&*proxy_);
    int port = 0;
    front.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    front_server_ = front.BuildAndStart();
    channel_ = grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                   grpc::InsecureChannelCredentials());
  }
  ~ProxyFixture() override {
    for (const auto& server : {front_server_.get(), backend_server_.get()}) {
      if (server == nullptr) continue;
      server->Shutdown(std::chrono::system_clock::now());
      server->Wait();
    }
  }

  Backend backend_;
  std::unique_ptr<grpc::Server> backend_server_;
  std::optional<CallProxy> proxy_;
  std::unique_ptr<grpc::Server> front_server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace drip::front
