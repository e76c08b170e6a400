// SPDX-License-Identifier: BSD-3-Clause
// dripctl as a program: addresses, exit codes, errors, help, and the commands that only list.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "dripctl_fixture.h"

namespace drip {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(DripctlTest, ServerFromOptionBeatsEnvironmentAndMayStandAnywhere) {
  FakeServer other;
  v1::GetNodeResponse node;
  node.set_node_id("other");
  other->reply(node);
  const Outcome outcome = dripctl("node show --server " + other.address());
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("other"));
  EXPECT_EQ(server_->calls(), 0U);
  EXPECT_EQ(dripctl("--server=" + other.address() + " node show").exit_code, 0);
  EXPECT_EQ(other->calls(), 2U);
}

TEST_F(DripctlTest, ReachesUnixSocket) {
  const std::string path = testing::TempDir() + "dripctl-test-" + std::to_string(getpid());
  FakeServer other("unix:" + path);
  EXPECT_EQ(dripctl("node show --server unix:" + path).exit_code, 0);
  EXPECT_EQ(other->calls(), 1U);
  std::filesystem::remove(path);
}

TEST_F(DripctlTest, ExitCodeTellsTheKindOfError) {
  const std::tuple<grpc::StatusCode, std::string, int> cases[] = {
      {grpc::StatusCode::NOT_FOUND, "NOT_FOUND", 4},
      {grpc::StatusCode::INVALID_ARGUMENT, "INVALID_ARGUMENT", 5},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "RESOURCE_EXHAUSTED", 5},
      {grpc::StatusCode::FAILED_PRECONDITION, "FAILED_PRECONDITION", 5},
      {grpc::StatusCode::UNIMPLEMENTED, "UNIMPLEMENTED", 5},
      {grpc::StatusCode::UNAUTHENTICATED, "UNAUTHENTICATED", 5},
      {grpc::StatusCode::UNAVAILABLE, "UNAVAILABLE", 3},
  };
  for (const auto& [code, name, exit_code] : cases) {
    server_->fail({code, "because of this"});
    for (const char* command : {"bucket show b", "bucket watch b", "bucket show b --json"}) {
      const Outcome outcome = dripctl(command);
      EXPECT_EQ(outcome.exit_code, exit_code) << name;
      EXPECT_THAT(outcome.err, StartsWith("dripctl: " + name + ": "));
      EXPECT_THAT(outcome.err, HasSubstr("because of this\n"));
      EXPECT_EQ(outcome.out, "");
    }
  }
}

TEST_F(DripctlTest, RefusedConnectionIsUnreachableAtOnce) {
  const auto before = std::chrono::steady_clock::now();
  for (const char* address : {"127.0.0.1:1", "unix:/nonexistent/socket"}) {
    const Outcome outcome = dripctl(std::string("bucket list --server ") + address);
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_THAT(outcome.err,
                StartsWith("dripctl: UNAVAILABLE: no answer from " + std::string(address) + ": "));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
}

// A server that takes the connection and says nothing is not reached; one that does not finish a
// call in time is.
TEST_F(DripctlTest, TimeoutTellsSilentServerFromSlowCall) {
  const int silent = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(silent, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(silent, 4), 0);
  ASSERT_EQ(getsockname(silent, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string silent_address = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  Outcome outcome = dripctl("bucket list --timeout 300ms --server " + silent_address);
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_EQ(outcome.err,
            "dripctl: DEADLINE_EXCEEDED: no connection to " + silent_address + " in time\n");
  close(silent);

  server_->hold = true;
  outcome = dripctl("request await b --timeout 300ms");
  EXPECT_EQ(outcome.exit_code, 5);
  EXPECT_THAT(outcome.err, StartsWith("dripctl: DEADLINE_EXCEEDED: "));
}

TEST_F(DripctlTest, UsageErrorsAreReportedAndNothingIsSent) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "a command is missing; allowed: bucket, top, tree, request"},
      {"bucket", "a subcommand is missing; allowed: set, show"},
      {"bucket frobnicate", "'frobnicate' is not allowed; allowed: set, show"},
      {"frobnicate", "'frobnicate' is not allowed; allowed: bucket, top, tree, request"},
      {"bucket set", "bucket is required"},
      {"bucket show a b", "b"},
      {"bucket set b\xff --rate 10", "an argument: \"b\\ufffd\" is not allowed; allowed: UTF-8"},
      {"bucket list --prefix \xc3", "--prefix: \"\\ufffd\" is not allowed; allowed: UTF-8"},
      {"bucket set b --rate", "--rate"},
      {"bucket set b --rate --capacity 10", "'--capacity' is not a rate: it does not begin with"},
      {"bucket set b --cap 10", "'--cap' is not allowed; allowed: --help, --rate, --capacity, "},
      {"rule add r --pass --tos 4",
       "'--tos' is not allowed; allowed: --help, --priority, --set-dscp, --src"},
      {"rule add r --pass --tos 4", "--token-file, --timeout, --json (see dripctl rule"},
      {"node show --server http://127.0.0.1:50051", "host:port or unix:PATH"},
      {"bucket set b --rate 10mbps", "it says bytes to tc and bits to others"},
      {"bucket set b --rate 10mbit --rate 20mbit", "one of bits and one of units"},
      {"bucket set b --rate 10 --rate 20pps", "one of bits and one of units"},
      {"bucket set b --capacity -1", "from 0 to 9223372036854775807"},
      {"bucket set b --capacity 1 --capacity 2", "--capacity"},
      {"bucket set b --overhead 3000000000", "from -2147483648 to 2147483647"},
      {"bucket set b --capacity-bytes 1.5b", "it does not come to whole bytes"},
      {"bucket set b --min-frame 8gb", "up to 4294967295 bytes"},
      {"bucket set b --departure middle", "allowed: start, end"},
      {"bucket set b --max-catchup 20", "the unit is missing"},
      {"bucket watch --interval 50ms", "100ms to 1h"},
      {"bucket watch --interval 100.5ms", "100ms to 1h"},
      {"bucket watch --count 0", "from 1"},
      {"bucket traffic b --flows 17", "from 1 to 16"},
      {"history --last 0", "from 1 to 1000000"},
      {"history --last 5 --all", "--last excludes --all"},
      {"history --since 5", "the unit is missing"},
      {"history --since 0s", "more than 0"},
      {"history --bucket b --rule r", "--bucket excludes --rule"},
      {"history web", "was not expected: web"},
      {"request allow b --bytes 1x", "a whole number"},
      {"rule add r", "--bucket,--per-flow,--pass,--drop"},
      {"rule add r --pass --drop", "--bucket,--per-flow,--pass,--drop"},
      {"rule add r --bucket b --max-flows 5", "--max-flows requires --per-flow"},
      {"rule add r --bucket b --rate 5mbit", "--rate requires --per-flow"},
      {"rule add r --per-flow port", "five-tuple, source, destination"},
      {"rule add r --pass --sport 2000-1000", "the lower one first"},
      {"rule add r --pass --dport 70000", "a port or FIRST-LAST"},
      {"rule add r --pass --proto tpc", "tcp, udp"},
      {"rule add r --pass --dscp af44", "af11 to af43"},
      {"rule add r --pass --dscp 64", "0 to 63"},
      {"rule add r --pass --ether-type 0xfffff", "hexadecimal"},
      {"rule set /nonexistent", "/nonexistent: No such file or directory"},
      {"node show --timeout 5", "the unit is missing"},
      {"node show --server nowhere", "host:port or unix:PATH"},
      {"node show --server nowhere:http", "host:port or unix:PATH"},
  };
  for (const auto& [command, message] : cases) {
    const Outcome outcome = dripctl(command);
    EXPECT_EQ(outcome.exit_code, 2) << command << ": " << outcome.out << outcome.err;
    EXPECT_THAT(outcome.err, StartsWith("dripctl: USAGE: ")) << command;
    EXPECT_THAT(outcome.err, HasSubstr(message)) << command;
    EXPECT_EQ(outcome.out, "") << command;
  }
  EXPECT_EQ(server_->calls(), 0U);
}

TEST_F(DripctlTest, LostOutputIsAnError) {
  const Outcome outcome =
      Process({"sh", "-c", from_environment("DRIPCTL") + " node show > /dev/full"}, "",
              {{"DRIPCTL_SERVER", server_.address()}})
          .wait();
  EXPECT_EQ(outcome.exit_code, 5);
  EXPECT_THAT(outcome.err, HasSubstr("cannot write to standard output"));
}

TEST_F(DripctlTest, BucketMayHaveTheNameOfASubcommand) {
  EXPECT_EQ(dripctl("bucket show list").exit_code, 0);
  EXPECT_EQ(asked<v1::GetBucketStatusRequest>().bucket_id(), "list");
}

TEST_F(DripctlTest, ListsPorts) {
  v1::ListPortsResponse ports;
  v1::Port* port = ports.add_ports();
  port->set_name("lan");
  port->set_device("0000:01:00.0");
  port->set_link_up(true);
  port->set_link_bps(10'000'000'000);
  port->set_peer("wan");
  port->set_rx_packets(12);
  ports.add_ports()->set_name("wan");
  server_->reply(ports);
  EXPECT_EQ(dripctl("port list --names").out, "lan\nwan\n");
  const auto table = lines(dripctl("port list").out);
  ASSERT_EQ(table.size(), 3U);
  EXPECT_THAT(table[1], testing::ContainsRegex("^lan +0000:01:00.0 +10gbit +wan .* 12 "));
  EXPECT_THAT(table[2], testing::ContainsRegex("^wan .* down +- "));
  EXPECT_EQ(json("port list")["ports"][0]["link_bps"], 10'000'000'000);
}

TEST_F(DripctlTest, ListsWhatStandsBesidePorts) {
  v1::ListPortsResponse ports;
  ports.add_ports()->set_name("lan");
  ports.add_ports()->set_name("wan");
  server_->reply(ports);
  v1::GetNodeResponse node;
  node.add_warnings("no hugepages");
  node.add_warnings("port wan: the kernel forwards what comes in by eth2");
  node.add_warnings("port wanderer: eth3 is down");
  server_->reply(node);
  const auto table = lines(dripctl("port list").out);
  ASSERT_EQ(table.size(), 4U);
  EXPECT_EQ(table[3], "warning: port wan: the kernel forwards what comes in by eth2");
}

TEST_F(DripctlTest, ACounterThatNobodyKeepsIsADash) {
  v1::ListPortsResponse ports;
  v1::Port* port = ports.add_ports();
  port->set_name("lan");
  port->set_rx_missed(5);
  port->set_tx_errors(6);
  port->add_unknown_counters("rx_no_mbuf");
  port->add_unknown_counters("tx_errors");
  server_->reply(ports);
  const auto table = lines(dripctl("port list").out);
  ASSERT_EQ(table.size(), 2U);
  // RX MISSED, RX ERRORS, NO MBUF, TX ERRORS, TX RETRIES.
  EXPECT_THAT(table[1], testing::ContainsRegex(" 5 +0 +- +- +0 *$"));
}

TEST_F(DripctlTest, ListsLcoresWithDropsByReason) {
  v1::ListLcoresResponse lcores;
  v1::Lcore* lcore = lcores.add_lcores();
  lcore->set_cpu(-1);
  lcore->set_role("fused");
  lcore->set_running_ns(1'000'000);
  lcore->set_busy_ns(250'000);
  lcore->set_transmitter(0);
  lcore->mutable_lateness()->add_counts(3);  // Of requests: no packet was sent.
  lcore->mutable_lateness()->set_p99_ns(5'000);
  v1::DropCount* drop = lcore->add_drops();
  drop->set_reason("bucket_full");
  drop->set_packets(7);
  lcore->add_drops()->set_reason("never_seen");
  server_->reply(lcores);
  // The next call has packets.
  lcores.mutable_lcores(0)->set_rx_packets(1'000);
  lcores.mutable_lcores(0)->set_tx_packets(900);
  server_->reply(lcores);
  const std::string text = dripctl("lcore list").out;
  EXPECT_THAT(text, testing::ContainsRegex("floats .* fused .* 25.0% +- "));
  EXPECT_THAT(text, testing::ContainsRegex("0 +0 +0 +0 +5us +0 "));
  EXPECT_THAT(text, testing::ContainsRegex("bucket_full +7 "));
  EXPECT_THAT(text, testing::Not(HasSubstr("never_seen")));
  EXPECT_THAT(dripctl("lcore list").out, testing::ContainsRegex("25.0% +250ns +1000 +900 "));
  // Present because it is set, though 0.
  EXPECT_EQ(json("lcore list")["lcores"][0]["transmitter"], 0);
}

TEST_F(DripctlTest, ShowsClusterAndNode) {
  v1::GetLeaderResponse leader;
  leader.set_node_id("n1");
  leader.set_address("10.0.0.1:50051");
  leader.set_epoch(3);
  leader.set_is_self(true);
  server_->reply(leader);
  EXPECT_EQ(dripctl("cluster leader").out, "n1 at 10.0.0.1:50051, epoch 3 (the node asked)\n");
  EXPECT_EQ(json("cluster leader")["epoch"], 3);

  v1::GetClusterStatusResponse status;
  status.add_nodes()->set_node_id("n1");
  status.mutable_nodes(0)->set_role(v1::NODE_ROLE_LEADER);
  status.mutable_nodes(0)->set_state(v1::NODE_STATE_UP);
  server_->reply(status);
  EXPECT_THAT(dripctl("cluster status").out, testing::ContainsRegex("n1 +- +leader +up "));
  EXPECT_EQ(json("cluster status")["nodes"][0]["role"], "NODE_ROLE_LEADER");

  v1::GetNodeResponse node;
  node.set_node_id("n1");
  node.add_warnings("no hugepages");
  server_->reply(node);
  EXPECT_THAT(dripctl("node show").out, testing::ContainsRegex("warning +no hugepages"));
  EXPECT_THAT(dripctl("node show").out, testing::ContainsRegex("mbufs +none: no ports\n"));
  EXPECT_EQ(dripctl("node").out, dripctl("node show").out);
  node.mutable_memory()->set_mbufs(100);
  node.mutable_memory()->set_mbufs_promised(40);
  node.mutable_memory()->set_mbufs_free(90);
  server_->reply(node);
  // The last call that gets the answer before.
  EXPECT_EQ(json("node")["warnings"][0], "no hugepages");
  EXPECT_THAT(dripctl("node show").out, testing::ContainsRegex("mbufs +40 reserved of 100, 90 f"));
}

}  // namespace
}  // namespace drip
