// SPDX-License-Identifier: BSD-3-Clause
// dripd's TOML file: errors with line and column, applied at the start, and read again at SIGHUP.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/client.h"
#include "support/dripd_process.h"
#include "support/temporary_directory.h"

namespace drip {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kGoodBucket = R"([[buckets]]
bucket_id = "a"
capacity = 10
leak_rate = 5
)";

struct BadFile {
  std::string text;
  const char* error;  // From the line number on.
};

std::vector<BadFile> bad_files() {
  const std::string good = kGoodBucket;
  return {
      // Syntax.
      {"[[buckets]]\nbucket_id = \"a\"\ncapacity = = 3\n", "3:12: TOML: "},
      {"[node]\nid = \"a\"\nid = \"b\"\n", "3:6: TOML: "},
      // Keys that nobody knows.
      {"[nodes]\nid = \"x\"\n", "1:2: nodes: there is no such section; known are node, "},
      {"[node]\n  name = \"x\"\n",
       "2:3: node.name: there is no such field; known are advertise, audit_log, "
       "control_process, control_user, dpdk_telemetry, drain, eal, id, "},
      {good + "leek_rate = 5\n",
       "5:1: buckets[0].leek_rate: there is no such field; known are bucket_id, capacity, "
       "leak_rate"},
      {"[[rules]]\nrule_id = \"r\"\npass = true\nmatch = { ip_proto = 17 }\n",
       "4:11: rules[0].match.ip_proto: there is no such field"},
      {"[node]\nlog_level = \"loud\"\n",
       "2:13: node.log_level: one of debug, info, warn, error is needed"},
      // Wrong types.
      {"buckets = 5\n", "1:11: buckets: a list is needed"},
      {"[node]\nid = 5\n", "2:6: node.id: text in quotes is needed"},
      {"[node]\nlisten = [\"127.0.0.1:0\", 7]\n", "2:26: node.listen: text in quotes is needed"},
      {"[placement]\ncpus = [0, 5000]\n",
       "2:12: placement.cpus: a whole number from 0 to 4095 is needed"},
      {"protect_control_traffic = \"yes\"\n",
       "1:27: protect_control_traffic: true or false is needed"},
      {"[[buckets]]\nbucket_id = \"a\"\ncapacity = 1.5\n",
       "3:12: buckets[0].capacity: 1.5 is not allowed: a whole number"},
      {good + "departure = \"LATE\"\n",
       "5:13: buckets[0].departure: one of DEPARTURE_AT_START, DEPARTURE_AT_END is needed"},
      // Values.
      // 2^64, the first that does not fit.
      {"[[buckets]]\nbucket_id = \"a\"\ncapacity_bytes = 18446744073709551616.0\n",
       "3:18: buckets[0].capacity_bytes: 1.8446744073709552e+19 is not allowed: a whole number"},
      {"[memory]\nmbufs = 5\n", "2:9: memory.mbufs: a whole number from 1024 to 67108864"},
      {"[node]\n  drain = \"5\"\n", "2:11: node.drain: '5' is not a duration: the unit is missing"},
      {good + "leak_rate_bps = \"1mbps\"\n",
       "5:17: buckets[0].leak_rate_bps: '1mbps' is not a bit rate: it says bytes to tc"},
      {"[[ports]]\nname = \"a\"\ndevice = \"net_null0\"\n",
       "1:1: ports[0]: name, device and peer (itself for a hairpin) are needed"},
      {"[[ports]]\nname = \"a\"\ndevice = \"net_null0\"\npeer = \"b\"\n",
       "4:8: ports[0].peer: there is no port 'b'"},
      {"[[ports]]\nname = \"a\"\ndevice = \"net_null0\"\npeer = \"a\"\nmtu = 20000\n",
       "5:7: ports[0].mtu: a whole number from 68 to 16362 is needed"},
      {"[[ports]]\nname = \"a\"\ndevice = \"net_null0\"\npeer = \"a\"\non_failure = \"open\"\n",
       "5:14: ports[0].on_failure: one of pass, drop is needed"},
      {"[metrics]\nlisten = \"metrics:80\"\n",
       "2:10: metrics.listen: \"metrics:80\" is not allowed: PORT (on 127.0.0.1)"},
      {"[web]\nlisten = \"web:80\"\n",
       "2:10: web.listen: \"web:80\" is not allowed: PORT (on 127.0.0.1)"},
      {"[metrics]\nbuckets = \"some\"\n", "2:11: metrics.buckets: \"some\" is not allowed: top:N"},
      // What the control plane refuses.
      {good + "\n[[buckets]]\nbucket_id = \"b\"\ncapacity = 0\nleak_rate = 1\n",
       "8:12: buckets[1].capacity: 0 is not allowed: 1 to 1048576 units"},
      {"\n[[buckets]]\nbucket_id = \"a\"\nleak_rate = 1\n",
       "2:1: buckets[0].capacity: missing: a new bucket needs 1 to 1048576 units"},
      {"[[buckets]]\nbucket_id = \"a b\"\ncapacity = 1\nleak_rate = 1\n",
       "2:13: buckets[0].bucket_id: \"a b\" is not allowed: 1 to 128 of "},
      {good + good, "6:13: buckets[1].bucket_id: \"a\" is not allowed: each id once"},
      {good + "[[rules]]\nrule_id = \"r\"\nbucket_id = \"no-such\"\n",
       "7:13: rules[0].bucket_id: no bucket is named \"no-such\""},
      {"[[rules]]\nrule_id = \"r\"\npass = true\nmatch = { ingress_port = \"left\" }\n",
       "4:26: rules[0].match.ingress_port: no port is named \"left\""},
      {"[[rules]]\nrule_id = \"r\"\npass = true\nmatch = { src_prefix = \"10.0.0/8\" }\n",
       "4:24: rules[0].match.src_prefix: '10.0.0/8' is not a network: "},
      {"default_bucket_id = \"none\"\n", "1:21: default_bucket_id: no bucket is named \"none\""},
  };
}

TEST(ConfigFile, ErrorsHaveLineAndColumn) {
  const TemporaryDirectory directory;
  const std::string listen = "unix:" + directory.path_of("dripd.sock");
  for (const BadFile& bad : bad_files()) {
    const std::string path = directory.write("dripd.toml", bad.text);
    const Outcome outcome = DripdProcess({"--listen", listen, "--config", path}).wait();
    EXPECT_EQ(outcome.exit_code, 2) << bad.text << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(" " + path + ":" + bad.error)) << bad.text;
    EXPECT_THAT(outcome.err, testing::Not(HasSubstr("serves on")));
  }
}

constexpr const char* kGoodFile = R"(default_bucket_id = "rest"

[node]
id = "from-the-file"
drain = "100ms"

[memory]
max_buckets = 100

[[buckets]]
bucket_id = "rest"
capacity = 1000
leak_rate_bps = "10mbit"

[[buckets]]
bucket_id = "web"
capacity = 500
leak_rate = "2kpps"
capacity_bytes = "64kb"
max_catchup_ns = "5ms"
departure = "DEPARTURE_AT_START"

[[rules]]
rule_id = "web"
priority = 10
bucket_id = "web"
match = { ip_protocol = 6, dst_port = { first = 443, last = 443 } }

[[rules]]
rule_id = "noise"
drop = true
match = { src_prefix = "192.0.2.0/24" }
)";

class LiveFile : public testing::Test {
 protected:
  explicit LiveFile(const char* text = kGoodFile)
      : path_(directory_.write("dripd.toml", text)), dripd_({"--config", path_}) {}

  void reload(const std::string& text) {
    directory_.write("dripd.toml", text);
    dripd_->signal(SIGHUP);
  }
  std::vector<std::string> buckets() {
    std::vector<std::string> ids;
    const auto reply = client_.call(&v1::ShaperService::Stub::ListBuckets, std::string());
    for (const v1::Bucket& bucket : reply.buckets()) ids.push_back(bucket.bucket_id());
    return ids;
  }
  std::vector<std::string> rules() {
    std::vector<std::string> ids;
    const auto reply = client_.call(&v1::ShaperService::Stub::ListRules, std::string());
    for (const v1::RuleStatus& rule : reply.rules()) ids.push_back(rule.rule().rule_id());
    return ids;
  }
  std::string default_bucket() {
    return client_.call(&v1::ShaperService::Stub::ListRules, std::string()).default_bucket_id();
  }

  const TemporaryDirectory directory_;
  const std::string path_;
  ServingDripd dripd_;
  Client client_{dripd_.address()};
};

TEST_F(LiveFile, IsInForceFromTheStart) {
  EXPECT_THAT(buckets(), ElementsAre("rest", "web"));
  EXPECT_DOUBLE_EQ(client_.bucket("rest").config().leak_rate_bps(), 10e6);
  const v1::BucketConfig web = client_.bucket("web").config();
  EXPECT_EQ(web.capacity(), 500U);
  EXPECT_DOUBLE_EQ(web.leak_rate(), 2000);
  EXPECT_EQ(web.capacity_bytes(), 65536U);
  EXPECT_EQ(web.max_catchup_ns(), 5'000'000U);
  EXPECT_EQ(web.departure(), v1::DEPARTURE_AT_START);

  const auto rules = client_.call(&v1::ShaperService::Stub::ListRules, std::string());
  ASSERT_EQ(rules.rules_size(), 2);
  EXPECT_EQ(rules.rules(0).rule().bucket_id(), "web");
  EXPECT_EQ(rules.rules(0).rule().match().dst_port().last(), 443U);
  EXPECT_TRUE(rules.rules(1).rule().drop());
  EXPECT_EQ(rules.default_bucket_id(), "rest");
  EXPECT_TRUE(rules.protect_control_traffic());
  EXPECT_EQ(client_.call(&v1::ShaperService::Stub::GetNode, std::string()).node_id(),
            "from-the-file");
}

TEST_F(LiveFile, SighupAddsChangesAndRemoves) {
  client_.configure("by-rpc", 10, 0.01);
  EXPECT_TRUE(client_.allow("by-rpc").allowed());
  reload(R"(default_bucket_id = "new"

[[buckets]]
bucket_id = "web"
capacity = 700
leak_rate = "1kpps"

[[buckets]]
bucket_id = "new"
capacity = 20
leak_rate_bps = "1mbit"
)");
  dripd_->logs("buckets and rules of " + path_ + " are applied");
  EXPECT_THAT(buckets(), ElementsAre("by-rpc", "new", "web"));
  const v1::BucketConfig web = client_.bucket("web").config();
  EXPECT_EQ(web.capacity(), 700U);
  EXPECT_DOUBLE_EQ(web.leak_rate(), 1000);
  EXPECT_EQ(web.capacity_bytes(), 0U) << "what the file no longer says is the default again";
  EXPECT_THAT(rules(), testing::IsEmpty());
  EXPECT_EQ(default_bucket(), "new");
  EXPECT_EQ(client_.bucket("by-rpc").queue_size(), 1U) << "not the file's, so not its business";
}

TEST_F(LiveFile, SighupChangesTheCapacityOfFlowsPastAPowerOfTwo) {
  int applied = 0;
  for (const std::uint32_t capacity : {100U, 200U, 64U, 129U}) {
    const std::string number = std::to_string(capacity);
    reload(R"([[rules]]
rule_id = "customers"
[rules.per_flow]
key = "FLOW_KEY_SOURCE"
max_flows = 50
bucket = { leak_rate = 10, capacity = )" +
           number + R"( }

[[buckets]]
bucket_id = "web"
leak_rate = 10
capacity = )" +
           number + "\n");
    dripd_->logs(" are applied", ++applied);
    const auto rules = client_.call(&v1::ShaperService::Stub::ListRules, std::string());
    ASSERT_EQ(rules.rules_size(), 1);
    EXPECT_EQ(rules.rules(0).rule().per_flow().bucket().capacity(), capacity);
    EXPECT_EQ(client_.bucket("web").capacity(), capacity) << "the file is applied as a whole";
  }
}

TEST_F(LiveFile, ABadFileAtSighupChangesNothing) {
  // The first is refused by the file's reader; the others by the control plane, of which the second
  // could have made its bucket and changed "web".
  const std::string good = kGoodFile;
  const std::string texts[] = {
      good + "[[buckets]]\nbucket_id = 5\n",
      good + "[[buckets]]\nbucket_id = \"more\"\ncapacity = 5\nleak_rate = 0\n",
      "[[buckets]]\nbucket_id = \"more\"\ncapacity = 5\nleak_rate = 1\n"
      "[[buckets]]\nbucket_id = \"web\"\ncapacity = 5\nleak_rate = 1\n"
      "[[rules]]\nrule_id = \"r\"\nbucket_id = \"rest\"\n",
  };
  int refused = 0;
  for (const std::string& text : texts) {
    reload(text);
    dripd_->logs("; nothing was changed", ++refused);
    EXPECT_THAT(buckets(), ElementsAre("rest", "web"));
    EXPECT_EQ(client_.bucket("web").capacity(), 500U);
    EXPECT_THAT(rules(), ElementsAre("web", "noise"));
    EXPECT_EQ(default_bucket(), "rest");
  }
  EXPECT_THAT(dripd_->log(), HasSubstr(path_ + ":34:13: buckets[2].bucket_id: text in quotes"));

  reload(good);
  dripd_->logs(" are applied");
}

TEST_F(LiveFile, AFileThatIsGoneAtSighupChangesNothing) {
  std::filesystem::remove(path_);
  dripd_->signal(SIGHUP);
  dripd_->logs(path_ + ": cannot be read: No such file or directory");
  EXPECT_THAT(buckets(), ElementsAre("rest", "web"));
  EXPECT_THAT(rules(), ElementsAre("web", "noise"));
}

TEST(ConfigFile, ClusterSettingsWithoutARedisAreRefused) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("dripd.toml", "[cluster]\nname = \"x\"\n");
  const Outcome outcome =
      DripdProcess({"--listen", "unix:" + directory.path_of("dripd.sock"), "--config", path})
          .wait();
  EXPECT_EQ(outcome.exit_code, 2) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("no Redis to join: give --cluster, or cluster.url"));
}

std::string example() {
  std::ifstream file(getenv("EXAMPLE_FILE"));
  return {std::istreambuf_iterator<char>(file), {}};
}

// Flags win over the file, whose ports are those of a NIC.
TEST(ConfigFile, TheExampleIsInForce) {
  const TemporaryDirectory directory;
  ServingDripd dripd({"--config", directory.write("dripd.toml", example()), "--hugepages", "never",
                      "--port", "lan=net_null0,no-rx=1", "--port", "wan=net_null1,no-rx=1",
                      "--pair", "lan:wan", "--idle", "sleep"});
  Client client(dripd.address());
  const auto rules = client.call(&v1::ShaperService::Stub::ListRules, std::string());
  EXPECT_EQ(rules.default_bucket_id(), "rest");
  EXPECT_EQ(rules.rules_size(), 6);
  EXPECT_EQ(client.call(&v1::ShaperService::Stub::ListBuckets, std::string()).buckets_size(), 4);
}

// The fields that an error lists as known is what the example must have.
TEST(ConfigFile, TheExampleHasEveryField) {
  const TemporaryDirectory directory;
  const std::string text = example();
  int fields = 0;
  for (const char* section : {"[node]", "[tls]", "[[access]]", "[placement]", "[memory]",
                              "[cluster]", "[metrics]", "[web]", "[[ports]]"}) {
    const Outcome outcome =
        DripdProcess({"--config", directory.write("bad.toml", std::string(section) + "\nno = 1\n")})
            .wait();
    constexpr std::string_view kKnown = "known are ";
    const std::size_t known = outcome.err.find(kKnown);
    ASSERT_NE(known, std::string::npos) << outcome.err;
    std::istringstream names(outcome.err.substr(known + kKnown.size()));
    for (std::string name; names >> name; ++fields) {
      if (name.back() == ',') name.pop_back();
      EXPECT_TRUE(text.find("\n" + name + " = ") != std::string::npos ||
                  text.find("\n# " + name + " = ") != std::string::npos)
          << section << " " << name;
    }
  }
  EXPECT_GT(fields, 25);
}

TEST(ConfigFile, SighupWithoutAFileSaysSo) {
  ServingDripd dripd;
  dripd->signal(SIGHUP);
  dripd->logs("SIGHUP: there is no file to read again (--config)");
  EXPECT_EQ(dripd->stop().exit_code, 0);
}

}  // namespace
}  // namespace drip
