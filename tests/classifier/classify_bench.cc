// SPDX-License-Identifier: BSD-3-Clause
// The classifier beside DPDK's rte_acl on the same rules and packets, and the other stages from
// bytes to bucket. docs/decisions/0001-classifier.md has the figures and how they were taken.
#include <benchmark/benchmark.h>
#include <rte_acl.h>
#include <rte_byteorder.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench_rules.h"
#include "datapath/flows/flow_hash_table.h"
#include "packet/control_traffic.h"
#include "support/frame_builder.h"

namespace drip {
namespace {

constexpr std::size_t kPackets = 4096;
constexpr std::size_t kBurst = 32;

// --- rte_acl: what it reads of a packet, in network order.

struct AclKey {
  std::uint8_t protocol;
  std::array<std::uint8_t, 3> padding;
  std::uint32_t src;
  std::uint32_t dst;
  std::uint16_t src_port;
  std::uint16_t dst_port;
};
enum AclField : std::uint8_t { kProtocol, kSrc, kDst, kSrcPort, kDstPort, kFields };
RTE_ACL_RULE_DEF(AclRule, kFields);

// rte_acl reads the first field alone and then 4 bytes at a time: both ports are one input.
constexpr std::array<rte_acl_field_def, kFields> kAclFields = {{
    {RTE_ACL_FIELD_TYPE_BITMASK, 1, kProtocol, 0, offsetof(AclKey, protocol)},
    {RTE_ACL_FIELD_TYPE_MASK, 4, kSrc, 1, offsetof(AclKey, src)},
    {RTE_ACL_FIELD_TYPE_MASK, 4, kDst, 2, offsetof(AclKey, dst)},
    {RTE_ACL_FIELD_TYPE_RANGE, 2, kSrcPort, 3, offsetof(AclKey, src_port)},
    {RTE_ACL_FIELD_TYPE_RANGE, 2, kDstPort, 3, offsetof(AclKey, dst_port)},
}};

std::uint32_t be32(const IpAddress& address) {
  std::uint32_t value = 0;
  std::memcpy(&value, address.data(), sizeof value);
  return value;
}

AclKey acl_key(const Headers& headers) {
  return {headers.ip_protocol,
          {},
          be32(headers.src_address),
          be32(headers.dst_address),
          rte_cpu_to_be_16(headers.src_port),
          rte_cpu_to_be_16(headers.dst_port)};
}

void set_prefix(rte_acl_field& field, const std::optional<IpPrefix>& prefix) {
  field.value.u32 = prefix ? rte_be_to_cpu_32(be32(prefix->address())) : 0;
  field.mask_range.u32 = prefix ? prefix->length() : 0;
}

void set_ports(rte_acl_field& field, const std::optional<PortRange>& ports) {
  field.value.u16 = ports ? ports->first : 0;
  field.mask_range.u16 = ports ? ports->last : 0xffff;
}

struct FreeAcl {
  void operator()(rte_acl_ctx* acl) const { rte_acl_free(acl); }
};
using Acl = std::unique_ptr<rte_acl_ctx, FreeAcl>;

[[noreturn]] void fail(const char* what, int error) {
  std::fprintf(stderr, "%s: %s\n", what, rte_strerror(error));
  std::exit(1);
}

Acl acl_with(const std::vector<ClassifierRule>& rules) {
  static int made = 0;
  const std::string name = "acl" + std::to_string(made++);
  const rte_acl_param param = {.name = name.c_str(),
                               .socket_id = -1,
                               .rule_size = RTE_ACL_RULE_SZ(kFields),
                               .max_rule_num = static_cast<std::uint32_t>(rules.size())};
  Acl acl(rte_acl_create(&param));
  if (!acl) fail("rte_acl_create", rte_errno);
  for (std::uint32_t i = 0; i < rules.size(); ++i) {
    const Match& match = rules[i].match;
    AclRule rule{};
    rule.data = {.category_mask = 1, .priority = rules[i].priority, .userdata = i + 1};
    rule.field[kProtocol].value.u8 = match.ip_protocol.value_or(0);
    rule.field[kProtocol].mask_range.u8 = match.ip_protocol ? 0xff : 0;
    set_prefix(rule.field[kSrc], match.src_prefix);
    set_prefix(rule.field[kDst], match.dst_prefix);
    set_ports(rule.field[kSrcPort], match.src_port);
    set_ports(rule.field[kDstPort], match.dst_port);
    const int error = rte_acl_add_rules(acl.get(), reinterpret_cast<rte_acl_rule*>(&rule), 1);
    if (error != 0) fail("rte_acl_add_rules", -error);
  }
  return acl;
}

void compile(rte_acl_ctx* acl) {
  rte_acl_config config{};
  config.num_categories = 1;
  config.num_fields = kFields;
  std::copy(kAclFields.begin(), kAclFields.end(), config.defs);
  const int error = rte_acl_build(acl, &config);
  if (error != 0) fail("rte_acl_build", -error);
}

// --- The same rules and packets for both.

struct Subject {
  Subject(Shape shape, std::size_t rule_count) {
    BenchRules source(shape, rule_count);
    rules = source.rules();
    packets = source.packets(kPackets);
    classifier = *Classifier::build(rules);
    acl = acl_with(rules);
    compile(acl.get());
    check();
  }

  // What is compared does the same.
  void check() const {
    std::vector<AclKey> keys;
    for (const Headers& packet : packets) keys.push_back(acl_key(packet));
    std::vector<const std::uint8_t*> pointers;
    for (const AclKey& key : keys) pointers.push_back(reinterpret_cast<const std::uint8_t*>(&key));
    std::vector<std::uint32_t> decided(kPackets);
    rte_acl_classify(acl.get(), pointers.data(), decided.data(), kPackets, 1);
    for (std::size_t i = 0; i < kPackets; ++i) {
      // userdata 0 says none, kNoRule + 1 is 0.
      if (decided[i] == classifier.classify(packets[i], 0) + 1) continue;
      std::fprintf(stderr, "packet %zu: rte_acl says %u\n", i, decided[i]);
      std::exit(1);
    }
  }

  std::vector<ClassifierRule> rules;
  std::vector<Headers> packets;
  Classifier classifier;
  Acl acl;
};

// By shape and size. Emptied before the EAL goes, whose memory it holds.
auto& subjects() {
  static std::map<std::pair<std::int64_t, std::int64_t>, std::unique_ptr<Subject>> made;
  return made;
}

Subject& subject(const benchmark::State& state) {
  auto& known = subjects()[{state.range(0), state.range(1)}];
  if (!known) {
    known = std::make_unique<Subject>(static_cast<Shape>(state.range(0)),
                                      static_cast<std::size_t>(state.range(1)));
  }
  return *known;
}

void name(benchmark::State& state) {
  state.SetLabel(kShapeNames[static_cast<std::size_t>(state.range(0))]);
}

// Time is that of one packet.
template <typename Work>
void per_packet(benchmark::State& state, Work work) {
  std::size_t begin = 0;
  while (state.KeepRunningBatch(kBurst)) {
    work(begin);
    begin = (begin + kBurst) % kPackets;
  }
}

void classify(benchmark::State& state) {
  const Subject& with = subject(state);
  std::array<std::uint32_t, kBurst> decided;
  per_packet(state, [&](std::size_t begin) {
    with.classifier.classify_burst({&with.packets[begin], kBurst}, 0, decided);
    benchmark::DoNotOptimize(decided);
  });
  name(state);
}

void acl(benchmark::State& state, enum rte_acl_classify_alg algorithm) {
  const Subject& with = subject(state);
  if (rte_acl_set_ctx_classify(with.acl.get(), algorithm) != 0) {
    state.SkipWithError("not on this CPU");
    return;
  }
  // From the same headers: that it needs keys of its own is part of what it costs.
  std::array<AclKey, kBurst> keys;
  std::array<const std::uint8_t*, kBurst> pointers;
  for (std::size_t i = 0; i < kBurst; ++i) {
    pointers[i] = reinterpret_cast<const std::uint8_t*>(&keys[i]);
  }
  std::array<std::uint32_t, kBurst> decided;
  per_packet(state, [&](std::size_t begin) {
    for (std::size_t i = 0; i < kBurst; ++i) keys[i] = acl_key(with.packets[begin + i]);
    benchmark::DoNotOptimize(keys);
    rte_acl_classify(with.acl.get(), pointers.data(), decided.data(), kBurst, 1);
    benchmark::DoNotOptimize(decided);
  });
  name(state);
}

void build(benchmark::State& state) {
  const Subject& with = subject(state);
  for (auto _ : state) benchmark::DoNotOptimize(Classifier::build(with.rules));
  name(state);
}

void build_acl(benchmark::State& state) {
  const Subject& with = subject(state);
  for (auto _ : state) {
    const Acl acl = acl_with(with.rules);
    compile(acl.get());
  }
  name(state);
}

void shapes_and_sizes(benchmark::internal::Benchmark* bench) {
  for (const Shape shape : {Shape::kPrefix, Shape::kAcl, Shape::kScatter, Shape::kRanges}) {
    for (const std::int64_t rules : {1, 10, 100, 1000, 10000}) {
      bench->Args({static_cast<std::int64_t>(shape), rules});
    }
  }
}
BENCHMARK(classify)->Apply(shapes_and_sizes);
BENCHMARK_CAPTURE(acl, avx2, RTE_ACL_CLASSIFY_AVX2)->Apply(shapes_and_sizes);
BENCHMARK_CAPTURE(acl, avx512x16, RTE_ACL_CLASSIFY_AVX512X16)->Apply(shapes_and_sizes);
BENCHMARK(build)->Apply(shapes_and_sizes)->Unit(benchmark::kMicrosecond);
BENCHMARK(build_acl)->Apply(shapes_and_sizes)->Unit(benchmark::kMicrosecond);

// --- The other stages.

std::vector<Bytes> data_frames(bool v6) {
  std::vector<Bytes> frames;
  for (std::uint16_t i = 0; i < 256; ++i) {
    FrameBuilder builder;
    if (v6) {
      builder.ipv6({});
    } else {
      builder.ipv4({});
    }
    frames.push_back(builder.ports(i, 443).raw(Bytes(22, 0)).build());
  }
  return frames;
}

void parse(benchmark::State& state) {
  const std::vector<Bytes> frames = data_frames(state.range(0) == 6);
  per_packet(state, [&](std::size_t begin) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      const Bytes& frame = frames[(begin + i) % frames.size()];
      benchmark::DoNotOptimize(parse_frame(frame, static_cast<std::uint32_t>(frame.size())));
    }
  });
}
BENCHMARK(parse)->Arg(4)->Arg(6);

void parse_and_control(benchmark::State& state) {
  const std::vector<Bytes> frames = data_frames(state.range(0) == 6);
  per_packet(state, [&](std::size_t begin) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      const Bytes& frame = frames[(begin + i) % frames.size()];
      const Headers headers = parse_frame(frame, static_cast<std::uint32_t>(frame.size()));
      benchmark::DoNotOptimize(is_control_traffic(headers, frame));
    }
  });
}
BENCHMARK(parse_and_control)->Arg(4)->Arg(6);

void find_flow(benchmark::State& state) {
  const auto flows = static_cast<std::uint32_t>(state.range(0));
  FlowHashTable table(flows);
  std::mt19937 random(1);
  const auto key = [](std::uint32_t flow) {
    Headers headers;
    headers.ip_version = IpVersion::kV4;
    headers.src_address = {10, static_cast<std::uint8_t>(flow >> 16),
                           static_cast<std::uint8_t>(flow >> 8), static_cast<std::uint8_t>(flow)};
    return make_flow_key(headers, {});
  };
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    static_cast<void>(table.insert(key(flow), flow));
  }
  std::vector<FlowKey> keys(kPackets);
  for (FlowKey& each : keys) each = key(random() % flows);
  std::array<std::uint32_t, kBurst> values;
  per_packet(state, [&](std::size_t begin) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      values[i] = table.find(keys[begin + i]).value_or(FlowHashTable::kAbsent);
    }
    benchmark::DoNotOptimize(values);
  });
}
BENCHMARK(find_flow)->Arg(1000)->Arg(64 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace drip

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  std::vector<std::string> arguments = {"classify_bench",
                                        "--no-huge",
                                        "--no-pci",
                                        "--no-shconf",
                                        "-m",
                                        "2048",
                                        "--no-telemetry",
                                        "--log-level=3",
                                        "--force-max-simd-bitwidth=512"};
  std::vector<char*> eal_arguments;
  for (std::string& argument : arguments) eal_arguments.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(eal_arguments.size()), eal_arguments.data()) < 0) {
    std::fprintf(stderr, "rte_eal_init: %s\n", rte_strerror(rte_errno));
    return 1;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  drip::subjects().clear();
  return rte_eal_cleanup();
}
