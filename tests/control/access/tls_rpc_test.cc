// SPDX-License-Identifier: BSD-3-Clause
// TLS as clients see it: who is let in, as whom, and what a new certificate changes.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "base/text.h"
#include "control/access/access_fixture.h"
#include "support/process.h"

namespace drip::control {
namespace {

using access::AccessRule;
using access::Role;
using grpc::StatusCode;
using testing::HasSubstr;

AccessRule rule(AccessRule::Subject subject, const std::string& text, Role role) {
  AccessRule result;
  result.subject = subject;
  result.text = text;
  result.role = role;
  return result;
}

class TlsRpc : public AccessFixture {
 protected:
  /// A client with the certificate; its first call.
  grpc::Status first_call(const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                          const std::string& token = {}, const std::string& server_name = {}) {
    return AccessClient(address_, token, credentials, server_name).call(&Shaper::GetNode);
  }
  grpc::Status first_call_as(const CertificateRequest& request) {
    return first_call(client_credentials(ca_.issue(request)));
  }
};

TEST_F(TlsRpc, CertificatesOfTheClientCaAreLetIn) {
  load_tls(true);
  start({});
  EXPECT_TRUE(first_call_as({"ops", {}}).ok());
  const CertificateAuthority other("another ca");
  EXPECT_EQ(first_call(client_credentials(other.issue({"ops", {}}))).error_code(),
            StatusCode::UNAVAILABLE);
  EXPECT_EQ(first_call_as({"ops", {}, -7200, -3600}).error_code(), StatusCode::UNAVAILABLE)
      << "expired";
  EXPECT_EQ(first_call_as({"ops", {}, 3600, 7200}).error_code(), StatusCode::UNAVAILABLE)
      << "not valid yet";
  EXPECT_EQ(first_call(client_credentials()).error_code(), StatusCode::UNAVAILABLE)
      << "without a certificate";
  EXPECT_EQ(first_call(grpc::InsecureChannelCredentials()).error_code(), StatusCode::UNAVAILABLE)
      << "without TLS";
}

TEST_F(TlsRpc, ClientsRefuseAServerThatIsAnother) {
  load_tls(true);
  start({});
  const IssuedCertificate ops = ca_.issue({"ops", {}});
  const CertificateAuthority other("another ca");
  EXPECT_TRUE(first_call(client_credentials(ops), "", "dripd.example").ok());
  EXPECT_EQ(first_call(client_credentials(ops), "", "other.example").error_code(),
            StatusCode::UNAVAILABLE);
  EXPECT_EQ(first_call(client_credentials(ops, &other)).error_code(), StatusCode::UNAVAILABLE);
}

TEST_F(TlsRpc, CertificatesHaveTheRolesOfTheirNames) {
  load_tls(true);
  using Subject = AccessRule::Subject;
  start({.rules = {rule(Subject::kCommonName, "ops", Role::kAdmin),
                   rule(Subject::kDnsName, "web.example", Role::kRead),
                   rule(Subject::kUri, "spiffe://example/ns/*", Role::kRead)}});
  const auto set_rules = [&](const CertificateRequest& request) {
    return AccessClient(address_, "", client_credentials(ca_.issue(request)))
        .call(&Shaper::SetRules);
  };
  EXPECT_TRUE(set_rules({"ops", {}}).ok());
  EXPECT_EQ(
      set_rules({"x", {"DNS:web.example"}}).error_message(),
      "SetRules needs the role admin; seen as certificate CN=x, DNS web.example with the role "
      "read");
  EXPECT_EQ(
      set_rules({"x", {"URI:spiffe://example/ns/a"}}).error_message(),
      "SetRules needs the role admin; seen as certificate CN=x, URI spiffe://example/ns/a with "
      "the role read");
  const grpc::Status unknown = set_rules({"nobody", {"DNS:ops", "URI:ops"}});
  EXPECT_EQ(unknown.error_code(), StatusCode::PERMISSION_DENIED);
  EXPECT_THAT(unknown.error_message(),
              HasSubstr("seen as certificate CN=nobody, DNS ops, URI ops, which has no role"));
}

TEST_F(TlsRpc, ATokenStandsInForACertificate) {
  load_tls(true);
  write_tokens({{"ci", Role::kRead, ""}});
  start({.tokens_path = tokens_path()});
  EXPECT_TRUE(first_call(client_credentials(), "ci").ok());
  EXPECT_EQ(first_call(client_credentials()).error_code(), StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(first_call_as({"ops", {}}).ok());
  const CertificateAuthority other("another ca");
  EXPECT_EQ(first_call(client_credentials(other.issue({"ops", {}})), "ci").error_code(),
            StatusCode::UNAVAILABLE)
      << "a certificate that is shown is checked all the same";
}

// The pair of files is replaced while calls go on: none of them fails, and new connections see the
// new certificate. One that cannot be used changes nothing, and GetNode warns of it.
TEST_F(TlsRpc, ACertificateIsReplacedWhileCallsGoOn) {
  load_tls(true);
  start({});
  const auto credentials = client_credentials(ca_.issue({"ops", {}}));
  AccessClient steady(address_, "", credentials);
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::thread calls([&] {
    while (!done) {
      if (!steady.call(&Shaper::GetNode).ok()) ++failed;
    }
  });
  // Only the new one has this name.
  const auto sees_new = [&] { return first_call(credentials, "", "new.example").ok(); };
  EXPECT_FALSE(sees_new());
  directory_.write("server.crt", "nonsense");
  v1::GetNodeResponse node;
  EXPECT_TRUE(wait_until([&] {
    return steady.call(&Shaper::GetNode, "", node).ok() && node.warnings_size() > 0 &&
           node.warnings(0).find("has no certificate in PEM") != std::string::npos;
  }));
  EXPECT_TRUE(first_call(credentials).ok()) << "the one of before stays in use";
  write_server_certificate(
      ca_.issue({"dripd", {"IP:127.0.0.1", "DNS:new.example"}, -3600, 30L * 24 * 3600}));
  EXPECT_TRUE(wait_until(sees_new));
  EXPECT_TRUE(wait_until([&] {
    node.Clear();
    return steady.call(&Shaper::GetNode, "", node).ok() && node.warnings_size() == 0;
  }));
  done = true;
  calls.join();
  EXPECT_EQ(failed, 0);
}

// A CA that is replaced closes the door to certificates of the one before, for new connections.
TEST_F(TlsRpc, AClientCaIsReplaced) {
  load_tls(true);
  start({});
  const CertificateAuthority next("the next ca");
  const auto before = client_credentials(ca_.issue({"ops", {}}));
  const auto after = client_credentials(next.issue({"ops", {}}));
  EXPECT_TRUE(first_call(before).ok());
  EXPECT_FALSE(first_call(after).ok());
  directory_.write("clients.crt", next.certificate());
  EXPECT_TRUE(wait_until([&] { return first_call(after).ok(); }));
  EXPECT_FALSE(first_call(before).ok());
}

TEST_F(TlsRpc, VersionsBefore12AreRefused) {
  load_tls(false);
  write_tokens({{"ci", Role::kRead, ""}});
  start({.tokens_path = tokens_path()});
  const auto handshake = [&](const std::string& version) {
    Process client({"openssl", "s_client", "-connect", address_, version, "-alpn", "h2", "-cipher",
                    "DEFAULT:@SECLEVEL=0"});
    const Outcome outcome = client.wait();
    return outcome.out + outcome.err;
  };
  EXPECT_THAT(handshake("-tls1"), HasSubstr("Cipher is (NONE)"));
  EXPECT_THAT(handshake("-tls1_1"), HasSubstr("Cipher is (NONE)"));
  EXPECT_THAT(handshake("-tls1_2"), HasSubstr("New, TLSv1.2, Cipher is ECDHE"));
}

TEST_F(TlsRpc, LoopbackCanBeWithoutTls) {
  load_tls(true);
  options_.server.addresses = {"127.0.0.1:0", "127.0.0.1:0,tls=off"};
  start({.rules = {AccessRule{}}});
  EXPECT_EQ(AccessClient(address_).call(&Shaper::GetNode).error_code(), StatusCode::UNAVAILABLE);
  AccessClient plain(joined("127.0.0.1:", node_->ports()[1]));
  EXPECT_TRUE(plain.call(&Shaper::GetNode).ok());
}

// Plain TCP beyond this machine would let in whoever reaches it.
TEST_F(TlsRpc, AddressesBeyondThisMachineNeedTlsAndCallersThatAreKnown) {
  options_.server.addresses = {"0.0.0.0:0"};
  const absl::Status plain = try_start({});
  EXPECT_TRUE(absl::IsInvalidArgument(plain));
  EXPECT_THAT(std::string(message_of(plain)),
              HasSubstr("listen: \"0.0.0.0:0\" is not allowed: beyond this machine only with TLS"));
  load_tls(false);
  options_.server.addresses = {"[::]:0"};
  EXPECT_THAT(std::string(message_of(try_start({}))), HasSubstr("only where callers are known"));
  options_.server.addresses = {"0.0.0.0:0,tls=off"};
  write_tokens({});
  EXPECT_THAT(std::string(message_of(try_start({.tokens_path = tokens_path()}))),
              HasSubstr("only with TLS"));
  options_.server.addresses = {"0.0.0.0:0"};
  EXPECT_TRUE(try_start({.tokens_path = tokens_path()}).ok());
  node_.reset();
  options_.tls = nullptr;
  options_.server.insecure = true;
  EXPECT_TRUE(try_start({}).ok());
}

}  // namespace
}  // namespace drip::control
