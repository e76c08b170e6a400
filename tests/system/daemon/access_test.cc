// SPDX-License-Identifier: BSD-3-Clause
// dripd and dripctl together: tokens, certificates, contexts, and what SIGHUP changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "support/certificates.h"
#include "support/dripd_process.h"
#include "support/process.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class DaemonAccess : public testing::Test {
 protected:
  DaemonAccess() {
    const IssuedCertificate server = ca_.issue({"dripd", {"IP:127.0.0.1"}});
    directory_.write("ca.crt", ca_.certificate());
    directory_.write("server.crt", server.certificate);
    write_secret("server.key", server.key);
    const IssuedCertificate ops = ca_.issue({"ops", {}});
    directory_.write("ops.crt", ops.certificate);
    write_secret("ops.key", ops.key);
  }
  void write_secret(const std::string& name, const std::string& text) {
    ASSERT_EQ(chmod(directory_.write(name, text).c_str(), 0600), 0);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_.path_of(name); }
  [[nodiscard]] std::vector<std::string> tls() const {
    return {"--listen",  "127.0.0.1:0",      "--tls-cert",      path("server.crt"),
            "--tls-key", path("server.key"), "--tls-client-ca", path("ca.crt")};
  }

  // `command` is split at its blanks; @NAME is the file of that name.
  Outcome dripctl(const std::string& command,
                  const std::map<std::string, std::string>& environment = {}) {
    std::vector<std::string> words = {std::getenv("DRIPCTL")};
    std::istringstream stream(command);
    for (std::string word; stream >> word;) {
      words.push_back(word.starts_with('@') ? path(word.substr(1)) : word);
    }
    std::map<std::string, std::string> variables = environment;
    variables.emplace("XDG_CONFIG_HOME", path(""));
    return Process(words, "", variables).wait();
  }
  // Makes the token, and writes its secret into the file `name`.
  void create_token(const std::string& name, const std::string& flags) {
    const Outcome outcome = dripctl("token create " + name + " " + flags + " --file @tokens.toml");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    ASSERT_THAT(outcome.out, testing::MatchesRegex("drip_[0-9a-f]+\n"));
    EXPECT_THAT(outcome.err, Not(HasSubstr("drip_")));
    write_secret(name, outcome.out);
  }

  TemporaryDirectory directory_;
  CertificateAuthority ca_{"ca"};
};

TEST_F(DaemonAccess, TokensAreMadeUsedAndRevokedWhileItRuns) {
  create_token("boss", "--role admin");
  create_token("ci", "--role operate --prefix ci/ --expires 1h");
  ServingDripd dripd({"--tokens", path("tokens.toml")});
  const std::string server = " --server " + dripd.address();
  const auto as = [&](const std::string& token, const std::string& command) {
    return dripctl(command + server + " --token-file @" + token);
  };
  EXPECT_EQ(as("boss", "bucket set ci/a --rate 10/s --capacity 5").exit_code, 0);
  EXPECT_EQ(as("boss", "bucket set other --rate 10/s --capacity 5").exit_code, 0);
  EXPECT_EQ(as("ci", "request allow ci/a").exit_code, 0);
  const Outcome foreign = as("ci", "request allow other");
  EXPECT_EQ(foreign.exit_code, 5);
  EXPECT_THAT(foreign.err, StartsWith("dripctl: PERMISSION_DENIED: bucket_id: \"other\" is not"));
  EXPECT_THAT(as("ci", "bucket set ci/a --rate 20/s").err,
              HasSubstr("ConfigureBucket needs the role admin; seen as token \"ci\" with the role "
                        "operate"));
  // What a tenant may not see of the node is left out.
  const Outcome top = as("ci", "top --once --interval 200ms");
  EXPECT_EQ(top.exit_code, 0) << top.err;
  EXPECT_THAT(top.out, HasSubstr("ci/a"));
  EXPECT_THAT(top.out, Not(HasSubstr("other")));
  EXPECT_THAT(dripctl("node show" + server).err, StartsWith("dripctl: UNAUTHENTICATED: GetNode"));
  std::string secret;
  std::getline(std::ifstream(path("boss")), secret);
  EXPECT_EQ(dripctl("node show" + server, {{"DRIPCTL_TOKEN", secret}}).exit_code, 0);

  EXPECT_EQ(dripctl("token revoke ci --file @tokens.toml").exit_code, 0);
  EXPECT_TRUE(wait_until([&] { return as("ci", "request allow ci/a").exit_code == 5; }));
  EXPECT_EQ(as("boss", "node show").exit_code, 0);
  const Outcome list = dripctl("token list --file @tokens.toml");
  EXPECT_THAT(list.out, HasSubstr("boss"));
  EXPECT_THAT(list.out, Not(HasSubstr("ci/")));
  EXPECT_THAT(dripd->log(), Not(HasSubstr("drip_"))) << "no secret in the log";
  EXPECT_EQ(dripd->stop().exit_code, 0);
}

// As Prometheus and a browser ask for them.
TEST_F(DaemonAccess, MetricsAndThePageNeedATokenAsWell) {
  create_token("scraper", "--role read");
  create_token("acme", "--role admin --prefix acme/");
  ServingDripd dripd({"--tokens", path("tokens.toml"), "--metrics", "0", "--web", "0"});
  const auto url_of = [&](const std::string& what) {
    const std::string log = dripd->log();
    const std::size_t begin = log.find("http://", log.find(what + " at http://"));
    return log.substr(begin, log.find('\n', begin) - begin);
  };
  for (const std::string& url : {url_of("metrics"), url_of("page"), url_of("page") + "api/node"}) {
    const auto code_with = [&](const std::vector<std::string>& options) {
      std::vector<std::string> words = {"curl", "-s", "-m", "20", "-w", "%{http_code}", url};
      words.insert(words.end(), options.begin(), options.end());
      const std::string out = Process(words).wait().out;
      return out.size() < 3 ? out : out.substr(out.size() - 3);
    };
    const auto secret = [&](const std::string& name) {
      std::string text;
      std::getline(std::ifstream(path(name)), text);
      return text;
    };
    EXPECT_EQ(code_with({}), "401") << url;
    EXPECT_EQ(code_with({"-H", "Authorization: Bearer " + secret("scraper")}), "200") << url;
    EXPECT_EQ(code_with({"-u", "anyone:" + secret("scraper")}), "200") << url;
    EXPECT_EQ(code_with({"-u", "anyone:" + secret("acme")}), "403") << url;
  }
  EXPECT_THAT(dripd->log(), Not(HasSubstr("drip_"))) << "no secret in the log";
}

TEST_F(DaemonAccess, CertificatesAndContexts) {
  DripdProcess dripd(tls());
  const std::string address = dripd.serves();
  dripd.logs("is admin: no entry of access says otherwise");
  EXPECT_EQ(dripctl("node show --server " + address +
                    " --tls-ca @ca.crt --tls-cert @ops.crt --tls-key @ops.key")
                .exit_code,
            0);
  EXPECT_EQ(dripctl("node show --server " + address + " --tls-ca @ca.crt").exit_code, 3);
  EXPECT_EQ(dripctl("node show --server " + address).exit_code, 3) << "without TLS";
  EXPECT_EQ(dripctl("node show --server " + address +
                    " --tls-ca @ca.crt --tls-cert @ops.crt --tls-key @ops.key "
                    "--tls-server-name other.example")
                .exit_code,
            3);

  std::filesystem::create_directories(path("dripctl"));
  directory_.write("dripctl/config.toml",
                   "# mine\n[contexts.here]\nserver = \"" + address + "\"\ntls_ca = \"" +
                       path("ca.crt") + "\"\ntls_cert = \"" + path("ops.crt") + "\"\ntls_key = \"" +
                       path("ops.key") + "\"\n[contexts.nowhere]\nserver = \"127.0.0.1:1\"\n");
  EXPECT_EQ(dripctl("node show --context here").exit_code, 0);
  EXPECT_EQ(dripctl("node show", {{"DRIPCTL_CONTEXT", "here"}}).exit_code, 0);
  EXPECT_EQ(dripctl("node show --context nowhere").exit_code, 3);
  EXPECT_EQ(dripctl("context use here").exit_code, 0);
  EXPECT_EQ(dripctl("node show").exit_code, 0);
  EXPECT_EQ(dripctl("context use nowhere").exit_code, 0);
  EXPECT_EQ(dripctl("node show").exit_code, 3);
  EXPECT_EQ(dripctl("context use here").exit_code, 0);
  EXPECT_THAT(dripctl("context list").out, HasSubstr("*        here     " + address));
  EXPECT_THAT(dripctl("context show").out, HasSubstr(path("ops.crt")));
  std::ifstream file(path("dripctl/config.toml"));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_THAT(text, StartsWith("current = \"here\"\n# mine\n[contexts.here]\n"));
  EXPECT_EQ(dripctl("context use other").exit_code, 2);
  EXPECT_THAT(dripctl("node show --context other").err, HasSubstr("allowed: here, nowhere"));
  // The server of a flag is no place for the token and the certificate of a context.
  EXPECT_EQ(dripctl("node show --server " + address).exit_code, 3);
  EXPECT_EQ(dripd.stop().exit_code, 0);
}

TEST_F(DaemonAccess, ATokenIsNotSentInPlainText) {
  write_secret("secret", "drip_abc\n");
  const Outcome outcome = dripctl("node show --server 192.0.2.1:50051 --token-file @secret");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("the token would go to 192.0.2.1:50051 in plain text"));
  EXPECT_THAT(outcome.err, Not(HasSubstr("abc")));
}

// [[access]] of the file, and what SIGHUP makes of it: all or nothing.
TEST_F(DaemonAccess, RolesOfTheFileAreReadAgain) {
  const auto file = [&](const std::string& role, const std::string& rest = "") {
    return directory_.write("dripd.toml",
                            "[[access]]\nlocal = true\nrole = \"" + role + "\"\n" + rest);
  };
  ServingDripd dripd({"--config", file("admin")});
  const std::string set = "bucket set b --rate 10/s --capacity 5 --server " + dripd.address();
  const std::string show = "node show --server " + dripd.address();
  EXPECT_EQ(dripctl(set).exit_code, 0);
  file("read");
  dripd->signal(SIGHUP);
  dripd->logs("are applied");
  EXPECT_EQ(dripctl(set).exit_code, 5);
  EXPECT_EQ(dripctl(show).exit_code, 0);
  // A fault in the buckets keeps the roles as well, and the other way round.
  file("admin", "[[buckets]]\nbucket_id = \"x\"\n");
  dripd->signal(SIGHUP);
  dripd->logs("nothing was changed");
  EXPECT_EQ(dripctl(set).exit_code, 5);
  file("root", "[[buckets]]\nbucket_id = \"x\"\ncapacity = 1\nleak_rate = 1\n");
  dripd->signal(SIGHUP);
  dripd->logs("access[0].role: one of read, operate, admin is needed; nothing was changed");
  EXPECT_THAT(dripctl("bucket list --server " + dripd.address()).out, Not(HasSubstr("\nx ")));
  directory_.write("dripd.toml", "");
  dripd->signal(SIGHUP);
  dripd->logs("access: at least one entry is needed");
  EXPECT_EQ(dripctl(set).exit_code, 5);
  EXPECT_EQ(dripd->stop().exit_code, 0);
}

TEST_F(DaemonAccess, WhatIsOpenToOthersIsRefusedAtTheStart) {
  create_token("ci", "--role read");
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--listen", "0.0.0.0:0"}, "beyond this machine only with TLS"},
      {{"--listen", "0.0.0.0:0", "--tokens", path("tokens.toml")},
       "beyond this machine only with TLS"},
      {{"--listen", "0.0.0.0:0", "--tls-cert", path("server.crt"), "--tls-key", path("server.key")},
       "only where callers are known"},
      {{"--metrics", "0.0.0.0:0"}, "--metrics: 0.0.0.0:0 is not allowed: beyond this machine only"},
      {{"--web", "0.0.0.0:0"}, "--web: 0.0.0.0:0 is not allowed: beyond this machine only"},
      {{"--tls-cert", path("server.crt")}, "--tls-cert and --tls-key go together"},
      {{"--tls-client-ca", path("ca.crt")}, "--tls-client-ca needs --tls-cert and --tls-key"},
      {{"--tls-cert", path("server.crt"), "--tls-key", path("ops.key")},
       "is not the key of the certificate"},
      {{"--tokens", path("none")}, "cannot be read: No such file"},
      {{"--listen", "unix:" + path("s") + ",mode=9"}, "listen: mode: \"9\" is not allowed"},
  };
  for (const auto& [flags, error] : cases) {
    const Outcome outcome = DripdProcess(flags).wait();
    EXPECT_EQ(outcome.exit_code, 2) << error << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(error));
  }
  DripdProcess insecure({"--listen", "0.0.0.0:0", "--insecure"});
  insecure.serves();
  EXPECT_EQ(insecure.stop().exit_code, 0);
}

TEST_F(DaemonAccess, ErrorsOfAccessNameTheLine) {
  const std::pair<std::string, std::string> cases[] = {
      {"[[access]]\nrole = \"read\"\n", ":1:1: access[0]: exactly one of common_name, dns_name,"},
      {"[[access]]\nlocal = true\n", ":1:1: access[0].role: missing: one of read, operate, admin"},
      {"[[access]]\nlocal = false\nrole = \"read\"\n", ":2:9: access[0].local: true is needed"},
      {"[[access]]\nlocal = true\nuri = \"a\"\nrole = \"read\"\n", "access[0]: exactly one of"},
      {"[[access]]\nlocal = true\nrole = \"read\"\nprefix = \" \"\n",
       ":4:10: access[0].prefix: the beginning of a bucket's name is needed"},
      {"[[access]]\ncommon_name = \"a\"\nrole = \"read\"\n",
       "access[0]: names a certificate, but none is asked for: --tls-client-ca is missing"},
      {"[access]\n", "access: a list is needed"},
  };
  for (const auto& [text, error] : cases) {
    const Outcome outcome = DripdProcess({"--config", directory_.write("dripd.toml", text)}).wait();
    EXPECT_EQ(outcome.exit_code, 2) << text;
    EXPECT_THAT(outcome.err, HasSubstr(error)) << text;
  }
}

}  // namespace
}  // namespace drip
