// SPDX-License-Identifier: BSD-3-Clause
// Sessions of calls of the API, each of any content, against a node that serves them over gRPC:
//
//   a change that is refused changes nothing, and what is accepted is read back;
//   revisions only grow, and grow with what changes;
//   no call ends as an error of the node's own, and every error says what it is about;
//   a bucket never holds more than its capacity.
#include <google/protobuf/text_format.h>

#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "fuzz/session/message_mutator.h"
#include "fuzz/session/session_calls.h"
#include "fuzz/session/session_node.h"
#include "fuzz/session/session_seeds.h"
#include "fuzz/support/frame_seeds.h"
#include "fuzz/support/fuzz_target.h"
#include "session.pb.h"

namespace drip::fuzz {
namespace {

constexpr int kMostCalls = 24;

// What texts of the API may be, right and wrong.
const std::vector<std::string>& texts() {
  static const std::vector<std::string> kTexts = [] {
    std::vector<std::string> all = {"",
                                    "a",
                                    "b",
                                    "c",
                                    "up",
                                    "web",
                                    "cust/1",
                                    "lan",
                                    "wan",
                                    "r1",
                                    "r2",
                                    "l1",
                                    "l2",
                                    "x1",
                                    "x2",
                                    "next",
                                    "n1",
                                    "10.0.0.0/8",
                                    "192.0.2.0/24",
                                    "192.0.2.1",
                                    "10.0.0.1/8",
                                    "2001:db8::/32",
                                    "::/0",
                                    "0.0.0.0/0",
                                    "02:00:00:00:00:01",
                                    "02:00:00:00:00:00/24",
                                    "ospf",
                                    "-glbp",
                                    "none",
                                    "dhcp",
                                    " ",
                                    "a b",
                                    "*",
                                    std::string(128, 'x'),
                                    std::string(129, 'x'),
                                    std::string(3000, 'y')};
    return all;
  }();
  return kTexts;
}

// What bytes of the API are: frames.
const std::vector<std::string>& frames() {
  static const std::vector<std::string> kFrames = [] {
    std::vector<std::string> all;
    for (const Bytes& frame : sample_frames()) all.emplace_back(frame.begin(), frame.end());
    return all;
  }();
  return kFrames;
}

}  // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all;
  for (const char* const text : kSessions) {
    Session session;
    require(google::protobuf::TextFormat::ParseFromString(text, &session), "a seed can be read");
    all.push_back(session.SerializeAsString());
  }
  return all;
}

}  // namespace drip::fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  Session session;
  if (!session.ParseFromArray(data, static_cast<int>(size))) session.Clear();
  std::mt19937 random(seed);
  MessageMutator mutator(random, texts(), frames());
  for (unsigned count = 1 + random() % 4; count > 0; --count) mutator.mutate(session);
  while (session.calls_size() > kMostCalls) session.mutable_calls()->RemoveLast();
  while (session.ByteSizeLong() > max_size && session.calls_size() > 0) {
    session.mutable_calls()->RemoveLast();
  }
  if (session.ByteSizeLong() > max_size) session.Clear();
  session.SerializeToArray(data, static_cast<int>(max_size));
  return session.ByteSizeLong();
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data1, std::size_t size1,
                                                 const std::uint8_t* data2, std::size_t size2,
                                                 std::uint8_t* out, std::size_t max_size,
                                                 unsigned int seed) {
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  Session one;
  Session other;
  if (!one.ParseFromArray(data1, static_cast<int>(size1)) ||
      !other.ParseFromArray(data2, static_cast<int>(size2))) {
    return 0;
  }
  std::mt19937 random(seed);
  Session both;
  const auto begin_of = [&](const Session& session) {
    return static_cast<int>(random() % (static_cast<unsigned>(session.calls_size()) + 1));
  };
  for (int i = 0, end = begin_of(one); i < end; ++i) *both.add_calls() = one.calls(i);
  for (int i = begin_of(other); i < other.calls_size(); ++i) *both.add_calls() = other.calls(i);
  while (both.calls_size() > kMostCalls || both.ByteSizeLong() > max_size) {
    both.mutable_calls()->RemoveLast();
  }
  both.SerializeToArray(out, static_cast<int>(max_size));
  return both.ByteSizeLong();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  Session session;
  if (!session.ParseFromArray(data, static_cast<int>(size))) return 0;
  static SessionNode node;
  node.clear();
  SessionCalls calls(node);
  for (int i = 0; i < session.calls_size() && i < kMostCalls; ++i) {
    calls.make(*session.mutable_calls(i));
  }
  calls.finish();
  return 0;
}
