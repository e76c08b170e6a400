// SPDX-License-Identifier: BSD-3-Clause
// A node on the fake engine that controls access, and clients with tokens and certificates.
#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "access/access_control.h"
#include "access/tls_files.h"
#include "access/token_file.h"
#include "control/server/node.h"
#include "control/support/fake_engine.h"
#include "control/support/messages.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"
#include "support/certificates.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip::control {

using Limiter = v1::RateLimiterService::Stub;
using Shaper = v1::ShaperService::Stub;

/// On a connection of its own.
class AccessClient {
 public:
  explicit AccessClient(
      const std::string& address, std::string token = {},
      std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials(),
      const std::string& server_name = {})
      : token_(std::move(token)) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (!server_name.empty()) arguments.SetSslTargetNameOverride(server_name);
    channel_ = grpc::CreateCustomChannel(address, credentials, arguments);
  }

  void authorize(grpc::ClientContext& context) const {
    if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }
  template <class Stub, class Request, class Reply>
  grpc::Status call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                    const std::string& request, Reply& reply) {
    grpc::ClientContext context;
    authorize(context);
    return (Stub(channel_).*method)(&context, message<Request>(request), &reply);
  }
  template <class Stub, class Request, class Reply>
  grpc::Status call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                    const std::string& request = {}) {
    Reply reply;
    return call(method, request, reply);
  }
  /// Of any method, streams too: sends one message without fields, and cancels after the first
  /// reply.
  grpc::Status call_by_path(const std::string& path) {
    grpc::ClientContext context;
    authorize(context);
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    const auto call = stub.PrepareCall(&context, path, &queue);
    const auto done = [&] {
      void* tag = nullptr;
      bool ok = false;
      return queue.Next(&tag, &ok) && ok;
    };
    call->StartCall(nullptr);
    done();
    const grpc::Slice nothing;
    call->WriteLast(grpc::ByteBuffer(&nothing, 1), {}, nullptr);
    done();
    grpc::ByteBuffer reply;
    call->Read(&reply, nullptr);
    if (done()) context.TryCancel();
    grpc::Status status;
    call->Finish(&status, nullptr);
    done();
    queue.Shutdown();
    return status;
  }
  [[nodiscard]] const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  std::string token_;
  std::shared_ptr<grpc::Channel> channel_;
};

/// The secret of a token is its name.
class AccessFixture : public testing::Test {
 protected:
  void TearDown() override {
    if (node_ == nullptr) return;
    (void)engine_.drain_and_stop({});
    node_->stop(std::chrono::milliseconds(100));
  }

  struct TokenSpec {
    std::string name;
    access::Role role;
    std::string prefix;
    long expires_in_seconds = 3600;
  };
  void write_tokens(const std::vector<TokenSpec>& specs) {
    std::vector<access::Token> tokens;
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    for (const TokenSpec& spec : specs) {
      access::Token& token = tokens.emplace_back();
      token.name = spec.name;
      token.role = spec.role;
      token.prefix = spec.prefix;
      token.created = now;
      token.expires = now + std::chrono::seconds(spec.expires_in_seconds);
      token.digest = access::digest_of(spec.name);
    }
    ASSERT_TRUE(access::write_token_file(tokens_path(), tokens).ok());
  }
  [[nodiscard]] std::string tokens_path() const { return directory_.path_of("tokens.toml"); }

  void write_server_certificate(const IssuedCertificate& issued) {
    const std::string key = directory_.write("server.key", issued.key);
    ASSERT_EQ(chmod(key.c_str(), 0600), 0);
    directory_.write("server.crt", issued.certificate);
  }
  /// Of the server, signed by ca_ and valid for 127.0.0.1 and dripd.example.
  [[nodiscard]] IssuedCertificate server_certificate() const {
    return ca_.issue({"dripd", {"IP:127.0.0.1", "DNS:dripd.example"}});
  }
  void load_tls(bool with_client_ca) {
    write_server_certificate(server_certificate());
    if (with_client_ca) directory_.write("clients.crt", ca_.certificate());
    auto tls = access::TlsFiles::load(
        {directory_.path_of("server.crt"), directory_.path_of("server.key"),
         with_client_ca ? directory_.path_of("clients.crt") : std::string()});
    ASSERT_TRUE(tls.ok()) << tls.status();
    options_.tls = *std::move(tls);
  }
  /// As the one of ca_ and, if there is one, with this certificate.
  [[nodiscard]] std::shared_ptr<grpc::ChannelCredentials> client_credentials(
      const std::optional<IssuedCertificate>& shown = {},
      const CertificateAuthority* trusted = nullptr) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = (trusted == nullptr ? &ca_ : trusted)->certificate();
    if (shown) {
      options.pem_cert_chain = shown->certificate;
      options.pem_private_key = shown->key;
    }
    return grpc::SslCredentials(options);
  }

  absl::Status try_start(access::AccessOptions options) {
    options.client_certificates = options_.tls != nullptr && options_.tls->verifies_clients();
    auto opened = access::AccessControl::open(options);
    if (!opened.ok()) return opened.status();
    access_ = *std::move(opened);
    options_.access = access_;
    options_.server.allow_tokens = !options.tokens_path.empty();
    auto node = Node::create(engine_, options_);
    if (!node.ok()) return node.status();
    node_ = *std::move(node);
    absl::Status started = node_->start();
    if (started.ok()) address_ = "127.0.0.1:" + std::to_string(node_->ports().front());
    return started;
  }
  void start(const access::AccessOptions& options) {
    const absl::Status started = try_start(options);
    ASSERT_TRUE(started.ok()) << started;
  }
  void start_with_tokens(const std::vector<TokenSpec>& specs) {
    write_tokens(specs);
    start({.tokens_path = tokens_path()});
  }
  [[nodiscard]] AccessClient client(const std::string& token = {}) const {
    return AccessClient(address_, token);
  }

  TemporaryDirectory directory_;
  CertificateAuthority ca_{"ca"};
  FakeEngine engine_;
  NodeOptions options_ = [] {
    NodeOptions options;
    options.node_id = "n1";
    options.max_requests = 1000;
    options.server.addresses = {"127.0.0.1:0"};
    return options;
  }();
  std::shared_ptr<access::AccessControl> access_;
  std::unique_ptr<Node> node_;
  std::string address_;
};

}  // namespace drip::control
