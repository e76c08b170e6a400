// SPDX-License-Identifier: BSD-3-Clause
// dripd's command line and the addresses that it listens on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "support/client.h"
#include "support/dripd_process.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip {
namespace {

using testing::HasSubstr;

// `flags` are split at blanks.
Outcome dripd(const std::string& flags) {
  std::vector<std::string> words;
  std::istringstream stream(flags);
  for (std::string word; stream >> word;) words.push_back(word);
  return DripdProcess(words).wait();
}

TEST(CommandLine, HelpAndVersion) {
  const Outcome help = dripd("--help");
  EXPECT_EQ(help.exit_code, 0);
  for (const char* text : {"--listen", "--config", "--pair", "--cpus", "Examples:", "SIGHUP"}) {
    EXPECT_THAT(help.out, HasSubstr(text));
  }
  const Outcome version = dripd("--version");
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, testing::MatchesRegex("dripd [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

struct BadFlags {
  const char* flags;
  const char* error;
};

TEST(CommandLine, ErrorsAreNamedAndExitWith2) {
  constexpr BadFlags kCases[] = {
      {"--nonsense", "--nonsense"},
      {"stray", "stray"},
      {"--node-id", "--node-id: 1 required"},
      {"--config /no/such/file", "--config: File does not exist: /no/such/file"},
      {"--listen nonsense", "listen: \"nonsense\" is not allowed: HOST:PORT"},
      {"--listen 127.0.0.1:65536", "listen: \"127.0.0.1:65536\" is not allowed"},
      {"--listen unix:", "listen: \"unix:\" is not allowed"},
      {"--dpdk-telemetry", "dpdk_telemetry: a node without ports does not use DPDK"},
      {"--metrics :9464", "--metrics: \":9464\" is not allowed: PORT (on 127.0.0.1)"},
      {"--web :8080", "--web: \":8080\" is not allowed: PORT (on 127.0.0.1)"},
      {"--web localhost:8080", "--web: \"localhost:8080\" is not allowed"},
      {"--metrics localhost:9464", "--metrics: \"localhost:9464\" is not allowed"},
      {"--metrics-buckets most", "--metrics-buckets: \"most\" is not allowed: top:N"},
      {"--port x", "--port: 'x' is not NAME=DEVICE"},
      {"--port a=net_null0", "port a: its packets have nowhere to go"},
      {"--port a=net_null0 --port a=net_null1 --hairpin a", "port a: named twice"},
      {"--port a=net_null0 --port b=net_null0 --pair a:b",
       "port b: device 'net_null0' is another port's already"},
      {"--port a=net_null0 --port b=net_null1 --pair a:b --hairpin a",
       "--hairpin: port 'a' has a peer already"},
      {"--port a=net_null0 --port b=net_null1 --port c=net_null2 --pair a:b --pair b:c",
       "--pair: port 'b' has a peer already"},
      {"--mtu 9000", "--mtu: there are no ports"},
      {"--advertise 0.0.0.0:50051", "--advertise: \"0.0.0.0:50051\" is not allowed: HOST:PORT"},
      {"--advertise [::]:50051", "--advertise: \"[::]:50051\" is not allowed"},
      {"--advertise unix:/run/drip.sock", "--advertise: \"unix:/run/drip.sock\" is not allowed"},
      {"--advertise 10.0.0.2:0", "--advertise: \"10.0.0.2:0\" is not allowed"},
      {"--advertise 10.0.0.2", "--advertise: \"10.0.0.2\" is not allowed"},
      {"--cluster-name one", "cluster: settings, but no Redis to join: give --cluster"},
      {"--port a=net_null0 --pair a:b", "--pair: there is no port 'b'"},
      {"--port a=net_null0 --pair a", "--pair: 'a' is not A:B"},
      {"--port a=net_null0 --hairpin a --mtu 67",
       "--mtu: '67' is not allowed; allowed: a whole number from 68 to 16362"},
      {"--port a=net_null0 --hairpin a --mtu a=x", "--mtu: 'x' is not"},
      {"--port a=net_null0 --hairpin a --mtu b=1500", "--mtu: there is no port 'b'"},
      {"--on-failure pass", "--on-failure: there are no ports"},
      {"--port a=net_null0 --hairpin a --on-failure open",
       "--on-failure: 'open' is not allowed: pass or drop"},
      {"--port a=net_null0 --hairpin a --on-failure b=drop", "--on-failure: there is no port 'b'"},
      {"--port a=net_null0 --hairpin a --on-failure a=pass --hugepages never --mbufs 8192",
       "port a (net_null0): on_failure: pass is not allowed: the kernel gets nothing"},
      {"--port a=net_null0 --hairpin a --mtu 9000 --mbuf-data 2048 --hugepages never --mbufs 8192",
       "port a (net_null0): mtu: 9000 allows frames of 9022 bytes, a packet buffer holds 2048"},
      {"--hairpin z", "--hairpin: there is no port 'z'"},
      {"--cpus x", "--cpus"},
      {"--cpus 4000", "CPU 4000 is not one that this process may use"},
      {"--cpus 0,0", "CPU 0 is given to two polling threads"},
      {"--worker-cpus 0", "workers need a transmitter"},
      {"--idle fast", "--idle: fast not in {auto,busy,sleep}"},
      {"--realtime-priority 100", "--realtime-priority: Value 100 not in range 0 to 99"},
      {"--hugepages sometimes", "--hugepages: sometimes not in"},
      {"--mbufs -1", "--mbufs"},
      {"--mbuf-data 1", "--mbuf-data: Value 1 not in range 256 to 16384"},
      {"--mbufs 10", "--mbufs: Value 10 not in range 1024 to 67108864"},
      {"--rx-descriptors 70000", "--rx-descriptors"},
      {"--tx-descriptors 7", "--tx-descriptors: Value 7 not in range 32 to 32768"},
      {"--max-buckets 0", "--max-buckets: Value 0 not in range"},
      {"--max-requests 0", "--max-requests: Value 0 not in range"},
      {"--max-open-calls 0", "--max-open-calls: Value 0 not in range 1 to 1048576"},
      {"--max-connection-calls 2000000", "--max-connection-calls: Value 2000000 not in range"},
      {"--client-limit calls=1",
       "--client-limit: 'calls=1' is not LIMIT=N; limits are connections, calls_per_second, "
       "open_calls, waiting_requests, watched_buckets, message_bytes"},
      {"--client-limit open_calls", "--client-limit: 'open_calls' is not LIMIT=N"},
      {"--client-limit calls_per_second=1000001",
       "--client-limit: calls_per_second: '1000001' is not allowed: 0 to 1000000"},
      {"--client-limit message_bytes=0",
       "--client-limit: message_bytes: '0' is not allowed: 1024 to 1073741824"},
      {"--client-limit connections=-1", "--client-limit: connections: '-1' is not allowed: 0 to"},
      {"--overcommit 0.5", "--overcommit: Value 0.5 not in range"},
      {"--ring-memory lots", "--ring-memory: 'lots' is not a size"},
      {"--drain 5", "--drain: '5' is not a duration: the unit is missing"},
      {"--log-level loud", "--log-level: loud not in"},
  };
  for (const BadFlags& bad : kCases) {
    const Outcome outcome = dripd(bad.flags);
    EXPECT_EQ(outcome.exit_code, 2) << bad.flags << "\n" << outcome.err;
    EXPECT_THAT(outcome.err + outcome.out, HasSubstr(bad.error)) << bad.flags;
  }
}

TEST(Ports, AnInterfaceThatIsNotThereIsNamed) {
  for (const char* driver : {"net_af_packet0", "net_af_xdp0"}) {
    const Outcome outcome =
        dripd(std::string("--listen unix:nowhere.sock --hugepages never ") +
              "--mbufs 8192 --hairpin a --port a=" + driver + ",iface=drip-none,qpairs=1");
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("there is no network interface 'drip-none'"));
  }
}

// Those of gRPC and of DPDK have names of theirs.
TEST(Threads, EachHasANameOfItsOwn) {
  ServingDripd dripd({"--hugepages", "never", "--mbufs", "8192", "--idle", "sleep", "--port",
                      "a=net_null0,no-rx=1", "--hairpin", "a"});
  const auto ours = [&] {
    std::vector<std::string> names = dripd->thread_names();
    std::erase_if(names, [](const std::string& name) { return !name.starts_with("drip"); });
    std::sort(names.begin(), names.end());
    return names;
  };
  const std::vector<std::string> wanted = {"drip-accept",  "drip-clock", "drip-config",
                                           "drip-lcore-0", "drip-links", "drip-turns",
                                           "dripd"};
  // Each takes its name itself, when it first runs.
  EXPECT_TRUE(wait_until([&] { return ours() == wanted; })) << testing::PrintToString(ours());
}

TEST(Listen, SeveralAddressesAtOnce) {
  const TemporaryDirectory directory;
  const std::string path = "unix:" + directory.path_of("dripd.sock");
  DripdProcess dripd({"--listen", "127.0.0.1:0", "--listen", path});
  const std::string tcp = dripd.serves();
  EXPECT_THAT(tcp, testing::Not(testing::EndsWith(":0")));
  Client(tcp).configure("a", 10, 1);
  EXPECT_EQ(Client(path).bucket("a").capacity(), 10U) << "one node behind both";
  EXPECT_EQ(dripd.stop().exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(directory.path_of("dripd.sock"))) << "tidied up";
}

TEST(Listen, ASecondDaemonIsRefusedATcpPort) {
  DripdProcess first({"--listen", "127.0.0.1:0"});
  const std::string address = first.serves();
  const Outcome second = DripdProcess({"--listen", address}).wait();
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("listen: " + address + ": Address already in use"));
  Client(address).configure("a", 10, 1);
  EXPECT_EQ(first.stop().exit_code, 0);
}

TEST(Listen, ASecondDaemonIsRefusedAUnixSocket) {
  ServingDripd first;
  const Outcome second = DripdProcess({"--listen", first.address()}).wait();
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err,
              HasSubstr("listen: " + first.address() + ": another process listens there"));
  Client(first.address()).configure("a", 10, 1);
}

TEST(Listen, ASocketThatADeadDaemonLeftIsReplaced) {
  const TemporaryDirectory directory;
  const std::string address = "unix:" + directory.path_of("dripd.sock");
  DripdProcess first({"--listen", address});
  first.serves();
  first.signal(SIGKILL);
  first.wait();
  ASSERT_TRUE(std::filesystem::exists(directory.path_of("dripd.sock")));
  DripdProcess second({"--listen", address});
  EXPECT_EQ(second.serves(), address);
  Client(address).configure("a", 10, 1);
}

TEST(Listen, AFileThatIsNoSocketStays) {
  const TemporaryDirectory directory;
  const std::string path = directory.write("precious", "data");
  const Outcome outcome = dripd("--listen unix:" + path);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err,
              HasSubstr("listen: unix:" + path + ": the file exists and is no socket"));
  EXPECT_EQ(std::filesystem::file_size(path), 4U);
}

}  // namespace
}  // namespace drip
