// SPDX-License-Identifier: BSD-3-Clause
// Buckets changed one by one while dripd forwards packets as fast as it can.
#include <sched.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "bench/control/control.h"
#include "bench/control/grpc_load.h"
#include "drip/histogram.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

using Limiter = v1::RateLimiterService::Stub;

constexpr unsigned kFlows = 64;
constexpr std::uint16_t kFirstPort = 4000;
constexpr double kRate = 1e6;  // Of each flow: more than it gets, so that nothing is dropped.

// ---- The packets: DPDK's net_pcap replays them without end.

void put16(std::string& bytes, unsigned value, bool little = false) {
  const char high = static_cast<char>(value >> 8);
  const char low = static_cast<char>(value);
  bytes += little ? low : high;
  bytes += little ? high : low;
}
void put32(std::string& bytes, std::uint32_t value) {  // Little-endian, as the file's head says.
  put16(bytes, value & 0xffff, true);
  put16(bytes, value >> 16, true);
}

// 60 bytes: Ethernet, IPv4, UDP.
std::string udp_frame(std::uint16_t port) {
  std::string frame;
  for (const unsigned word : {0x0200U, 0U, 2U, 0x0200U, 0U, 1U, 0x0800U}) put16(frame, word);
  for (const unsigned word : {0x4500U, 46U, 0U, 0U, 0x4011U, 0U, 0x0a63U, 1U, 0x0a63U, 2U}) {
    put16(frame, word);
  }
  for (const unsigned word : {1024U, unsigned{port}, 26U, 0U}) put16(frame, word);
  frame.resize(60);
  return frame;
}

/// A capture file that goes with the object.
class TrafficFile {
 public:
  TrafficFile() {
    const int fd = mkstemps(path_.data(), 5);
    std::string text;
    put32(text, 0xa1b2c3d4);
    put16(text, 2, true);
    put16(text, 4, true);
    for (const std::uint32_t word : {0U, 0U, 65535U, 1U}) put32(text, word);
    for (std::uint16_t i = 0; i < kFlows; ++i) {
      const std::string frame = udp_frame(static_cast<std::uint16_t>(kFirstPort + i));
      const auto length = static_cast<std::uint32_t>(frame.size());
      for (const std::uint32_t word : {0U, std::uint32_t{i}, length, length}) put32(text, word);
      text += frame;
    }
    if (fd >= 0) {
      written_ = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
      close(fd);
    }
  }
  TrafficFile(const TrafficFile&) = delete;
  TrafficFile& operator=(const TrafficFile&) = delete;
  ~TrafficFile() { (void)std::remove(path_.c_str()); }

  [[nodiscard]] bool written() const { return written_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = std::filesystem::temp_directory_path() / "drip-bench-XXXXXX.pcap";
  bool written_ = false;
};

// ---- What dripd did meanwhile.

struct LcoreCounts {
  std::uint64_t rx_packets = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t drops = 0;
  HistogramCounts lateness;
};

absl::StatusOr<LcoreCounts> read_lcores(v1::ShaperService::Stub& shaper) {
  grpc::ClientContext context;
  v1::ListLcoresResponse response;
  const grpc::Status status = shaper.ListLcores(&context, {}, &response);
  if (!status.ok()) return absl::UnavailableError(status.error_message());
  LcoreCounts sum;
  for (const v1::Lcore& lcore : response.lcores()) {
    sum.rx_packets += lcore.rx_packets();
    sum.tx_packets += lcore.tx_packets();
    for (const v1::DropCount& drop : lcore.drops()) sum.drops += drop.packets();
    for (int i = 0; i < lcore.lateness().counts_size(); ++i) {
      sum.lateness.counts[static_cast<std::size_t>(i)] += lcore.lateness().counts(i);
    }
    sum.lateness.max_ns = std::max(sum.lateness.max_ns, lcore.lateness().max_ns());
  }
  return sum;
}

struct Phase {
  Samples packets_per_second, lateness_p50, lateness_p99, lateness_p999;
  std::uint64_t drops = 0;

  void add(const LcoreCounts& before, const LcoreCounts& after, double seconds) {
    packets_per_second.add(static_cast<double>(after.tx_packets - before.tx_packets) / seconds);
    drops += after.drops - before.drops;
    HistogramCounts lateness = after.lateness;
    for (std::size_t i = 0; i < kHistogramBins; ++i) {
      lateness.counts[i] -= before.lateness.counts[i];
    }
    lateness_p50.add(static_cast<double>(lateness.quantile_ns(0.5)));
    lateness_p99.add(static_cast<double>(lateness.quantile_ns(0.99)));
    lateness_p999.add(static_cast<double>(lateness.quantile_ns(0.999)));
  }
  void write(const char* meanwhile, const Samples& calls, const Samples& p99_us,
             Report& report) const {
    report.row({{"case", "change"}, {"meanwhile", meanwhile}})
        .figure("calls_per_second", calls)
        .figure("call_p99_us", p99_us)
        .figure("packets_per_second", packets_per_second)
        .figure("packets_dropped", static_cast<double>(drops))
        .figure("lateness_p50_ns", lateness_p50)
        .figure("lateness_p99_ns", lateness_p99)
        .figure("lateness_p999_ns", lateness_p999)
        .end_row();
  }
};

absl::Status configure(v1::ShaperService::Stub& shaper) {
  v1::ConfigureBucketsRequest buckets;
  v1::SetRulesRequest rules;
  for (unsigned i = 0; i < kFlows; ++i) {
    const std::string id = fmt::format("flow-{}", i);
    v1::BucketConfig& bucket = *buckets.add_buckets();
    bucket.set_bucket_id(id);
    bucket.set_capacity(512);
    bucket.set_leak_rate(kRate);
    // Each packet waits for the end of its service, so each goes over the timing wheel.
    bucket.set_departure(v1::DEPARTURE_AT_END);
    v1::Rule& rule = *rules.mutable_rule_set()->add_rules();
    rule.set_rule_id(id);
    rule.set_bucket_id(id);
    rule.mutable_match()->set_ip_protocol(17);
    rule.mutable_match()->mutable_dst_port()->set_first(kFirstPort + i);
    rule.mutable_match()->mutable_dst_port()->set_last(kFirstPort + i);
  }
  grpc::ClientContext first;
  v1::ConfigureBucketsResponse configured;
  grpc::Status status = shaper.ConfigureBuckets(&first, buckets, &configured);
  if (status.ok()) {
    grpc::ClientContext second;
    v1::SetRulesResponse set;
    status = shaper.SetRules(&second, rules, &set);
  }
  return status.ok() ? absl::OkStatus() : absl::UnavailableError(status.error_message());
}

// Away from the CPU on which dripd polls, as far as there are two.
void leave_to_dripd(int cpu) {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return;
  CPU_CLR(static_cast<unsigned>(cpu), &cpus);
  if (CPU_COUNT(&cpus) > 0) (void)sched_setaffinity(0, sizeof cpus, &cpus);
}

}  // namespace

absl::Status measure_change(const ControlOptions& options, Report& report) {
  const TrafficFile traffic;
  if (!traffic.written()) return absl::UnavailableError("cannot write " + traffic.path());
  const auto dripd = ChildServer::start_dripd(
      options.dripd,
      {"--port", fmt::format("left=net_pcap0,rx_pcap={},infinite_rx=1", traffic.path()), "--port",
       "right=net_null0,size=60,no-rx=1", "--pair", "left:right", "--hugepages", "never", "--cpus",
       fmt::format("{}", options.polling_cpu)});
  if (!dripd.ok()) return dripd.status();
  leave_to_dripd(options.polling_cpu);
  v1::ShaperService::Stub shaper(connect(dripd->address()));
  if (auto status = configure(shaper); !status.ok()) return status;

  const UnaryMethod<Limiter, v1::ConfigureBucketRequest, v1::ConfigureBucketResponse> change{
      &Limiter::AsyncConfigureBucket};
  const auto new_rate = [](unsigned, std::uint64_t number, v1::ConfigureBucketRequest& request) {
    request.set_bucket_id(fmt::format("flow-{}", number % kFlows));
    request.set_leak_rate(kRate + static_cast<double>(number % 1000));
  };
  // What a call that changes nothing reaches beside the same load.
  const UnaryMethod<Limiter, v1::GetLeaderRequest, v1::GetLeaderResponse> look{
      &Limiter::AsyncGetLeader};
  const auto nothing = [](unsigned, std::uint64_t, v1::GetLeaderRequest&) {};
  constexpr LoadShape kShape{1, 64};

  enum Meanwhile { kIdle, kLook, kChange, kPhases };
  std::array<Phase, kPhases> phases;
  std::array<Samples, kPhases> calls;
  std::array<Samples, kPhases> p99_us;
  for (int run = 0; run < options.runs; ++run) {
    for (int step = 0; step < kPhases; ++step) {
      const int phase = (run + step) % kPhases;
      const auto before = read_lcores(shaper);
      const auto began = std::chrono::steady_clock::now();
      LoadResult result;
      if (phase == kIdle) {
        std::this_thread::sleep_for(std::chrono::duration<double>(options.seconds));
      } else {
        result = phase == kLook ? load(*dripd, look, kShape, options.seconds, nothing)
                                : load(*dripd, change, kShape, options.seconds, new_rate);
        calls[static_cast<std::size_t>(phase)].add(result.per_second());
        p99_us[static_cast<std::size_t>(phase)].add(result.latency_us(0.99));
      }
      const auto after = read_lcores(shaper);
      if (!before.ok()) return before.status();
      if (!after.ok()) return after.status();
      if (result.failed > 0) return absl::UnavailableError(result.first_error);
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
      phases[static_cast<std::size_t>(phase)].add(*before, *after, took.count());
    }
  }
  phases[kIdle].write("nothing", calls[kIdle], p99_us[kIdle], report);
  phases[kLook].write("GetLeader", calls[kLook], p99_us[kLook], report);
  phases[kChange].write("ConfigureBucket", calls[kChange], p99_us[kChange], report);
  return absl::OkStatus();
}

}  // namespace drip::bench
