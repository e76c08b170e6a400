// SPDX-License-Identifier: BSD-3-Clause
// Access control and audit log of a node whose connections another server accepts: as if it
// accepted them itself.
#include <gmock/gmock.h>
#include <grpcpp/create_channel_posix.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "access/audit/audit_log.h"
#include "access/methods.h"
#include "control/access/access_fixture.h"
#include "front/front_server.h"
#include "front/link/link.h"

namespace drip::front {
namespace {

using control::AccessClient;
using control::Limiter;
using control::Shaper;
using testing::HasSubstr;

class ForwardedAccess : public control::AccessFixture {
 protected:
  ForwardedAccess() {
    options_.server.forwarded = true;
    auto audit = access::AuditLog::open(directory_.path_of("audit.log"));
    EXPECT_TRUE(audit.ok());
    options_.audit = *std::move(audit);
  }
  void TearDown() override {
    front_.reset();
    AccessFixture::TearDown();
  }
  void start_front() {
    auto ends = socket_pair(true);
    ASSERT_TRUE(ends.ok());
    node_->connect(std::move(ends->first));
    channel_ = grpc::CreateInsecureChannelFromFd("node", ends->second.release());
    Settings settings;
    settings.set_max_receive_bytes(64 << 20);
    settings.set_concurrent_calls(1000);
    settings.set_memory_bytes(64 << 20);
    settings.set_handshake_timeout_ms(10'000);
    settings.set_client_must_show(!options_.server.allow_tokens);
    std::vector<FileDescriptor> sockets;
    for (const control::Listener& listener : node_->listeners()) {
      settings.add_listeners()->set_with_tls(listener.with_tls);
      sockets.emplace_back(dup(listener.socket.fd()));
    }
    auto front = FrontServer::start(settings, std::move(sockets), channel_, options_.tls);
    ASSERT_TRUE(front.ok()) << front.status();
    front_ = *std::move(front);
  }
  std::string audit() {
    std::ifstream file(directory_.path_of("audit.log"));
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<FrontServer> front_;
};

constexpr const char* kBucket = "bucket_id: 'b' capacity: 5 leak_rate: 1";

TEST_F(ForwardedAccess, TokensAndTheAuditLog) {
  start_with_tokens({{"boss", access::Role::kAdmin, ""}, {"ci", access::Role::kOperate, "ci/"}});
  start_front();
  EXPECT_TRUE(client("boss").call(&Limiter::ConfigureBucket, kBucket).ok());
  EXPECT_EQ(client("ci").call(&Limiter::AllowRequest, "bucket_id: 'b'").error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(client("thief").call(&Shaper::GetNode).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(client().call(&Shaper::GetNode).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(wait_until([&] { return audit().find("UNAUTHENTICATED") != std::string::npos; }));
  EXPECT_THAT(audit(), HasSubstr(R"("caller":"token \"boss\"","peer":"ipv4:127.0.0.1:)"));
}

// Over TLS by certificates; those of no client are refused at the handshake, as always.
TEST_F(ForwardedAccess, CertificatesByTheirNames) {
  load_tls(true);
  start({.rules = {{.subject = access::AccessRule::Subject::kCommonName,
                    .text = "ops",
                    .role = access::Role::kAdmin},
                   {.subject = access::AccessRule::Subject::kUri,
                    .text = "spiffe://a/web/*",
                    .role = access::Role::kOperate,
                    .prefix = "web/"}}});
  start_front();
  const auto as = [&](const CertificateRequest& request) {
    return AccessClient(address_, "", client_credentials(ca_.issue(request)));
  };
  EXPECT_TRUE(as({"ops", {}}).call(&Limiter::ConfigureBucket, kBucket).ok());
  EXPECT_THAT(audit(), HasSubstr(R"("caller":"certificate CN=ops","peer":"ipv4:127.0.0.1:)"));
  auto web = as({"w", {"DNS:w.example", "URI:spiffe://a/web/1"}});
  const grpc::Status status = web.call(&Limiter::AllowRequest, "bucket_id: 'b'");
  EXPECT_THAT(status.error_message(), HasSubstr("spiffe://a/web/1"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(as({"nobody", {}}).call(&Shaper::GetNode).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(AccessClient(address_, "", client_credentials()).call(&Shaper::GetNode).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

// A tenant that says to be somebody else, in the words of the socket between the processes.
TEST_F(ForwardedAccess, WhoClaimsAnotherOriginIsWhoItWas) {
  load_tls(true);
  start(
      {.rules = {{.subject = access::AccessRule::Subject::kCommonName,
                  .text = "ops",
                  .role = access::Role::kAdmin},
                 {.subject = access::AccessRule::Subject::kCommonName,
                  .text = "reader",
                  .role = access::Role::kRead},
                 {.subject = access::AccessRule::Subject::kLocal, .role = access::Role::kAdmin}}});
  start_front();
  AccessClient reader(address_, "", client_credentials(ca_.issue({"reader", {}})));
  const std::map<std::string, std::string> claims = {{"drip-origin-peer-bin", "unix:"},
                                                     {"drip-origin-tls", "1"},
                                                     {"drip-origin-certificate", "1"},
                                                     {"drip-origin-common-name-bin", "ops"}};
  grpc::ClientContext context;
  reader.authorize(context);
  for (const auto& [key, value] : claims) context.AddMetadata(key, value);
  v1::ConfigureBucketResponse response;
  const grpc::Status status =
      Limiter(reader.channel())
          .ConfigureBucket(&context, control::message<v1::ConfigureBucketRequest>(kBucket),
                           &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(status.error_message(), HasSubstr("seen as certificate CN=reader"));
}

// Not every process that has the socket says where its calls come from; those are refused.
TEST_F(ForwardedAccess, ACallWithoutAnOriginIsRefused) {
  start({});
  start_front();
  grpc::ClientContext context;
  v1::GetNodeResponse response;
  EXPECT_EQ(Shaper(channel_).GetNode(&context, {}, &response).error_code(),
            grpc::StatusCode::INTERNAL);
  EXPECT_TRUE(client().call(&Shaper::GetNode).ok());
}

// And where the node accepts connections itself nobody is believed.
TEST_F(ForwardedAccess, WithoutForwardingAnOriginIsNotLookedAt) {
  options_.server.forwarded = false;
  start_with_tokens({{"boss", access::Role::kAdmin, ""}});
  AccessClient boss = client("boss");
  grpc::ClientContext context;
  boss.authorize(context);
  context.AddMetadata("drip-origin-peer-bin", "ipv4:192.0.2.1:1");
  v1::ConfigureBucketResponse response;
  EXPECT_TRUE(Limiter(boss.channel())
                  .ConfigureBucket(&context, control::message<v1::ConfigureBucketRequest>(kBucket),
                                   &response)
                  .ok());
  EXPECT_THAT(audit(), testing::Not(HasSubstr("192.0.2.1")));
}

// Every method of the API, by whatever way it takes through the proxy.
TEST_F(ForwardedAccess, EveryMethodIsReached) {
  start({});
  start_front();
  for (const access::MethodAccess& method : access::all_methods()) {
    const std::string path =
        "/drip.v1." + std::string(method.service) + "/" + std::string(method.method);
    const grpc::StatusCode code = client().call_by_path(path).error_code();
    EXPECT_NE(code, grpc::StatusCode::UNIMPLEMENTED) << path;
    EXPECT_NE(code, grpc::StatusCode::INTERNAL) << path;
    EXPECT_NE(code, grpc::StatusCode::UNAVAILABLE) << path;
  }
}

}  // namespace
}  // namespace drip::front
