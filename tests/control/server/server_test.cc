// SPDX-License-Identifier: BSD-3-Clause
// Listening addresses, health, reflection, and malformed requests.
#include "control/server/server.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "control/listen/listen_socket.h"
#include "control/support/node_fixture.h"
#include "support/temporary_directory.h"

namespace drip::control {
namespace {

absl::StatusOr<std::unique_ptr<Server>> start(const std::vector<std::string>& addresses) {
  return Server::start({.addresses = addresses}, {});
}

grpc_connectivity_state connect_to(const std::string& address) {
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10));
  return channel->GetState(false);
}

TEST(Server, ListensOnSeveralAddresses) {
  const TemporaryDirectory directory;
  const std::string path = "unix:" + directory.path_of("drip.sock");
  const auto server = start({"127.0.0.1:0", path, "127.0.0.1:0"});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::vector<std::uint16_t> ports = (*server)->ports();
  ASSERT_EQ(ports.size(), 3U);
  EXPECT_GT(ports[0], 0);
  EXPECT_EQ(ports[1], 0);
  EXPECT_GT(ports[2], 0);
  EXPECT_EQ(connect_to(joined("127.0.0.1:", ports[0])), GRPC_CHANNEL_READY);
  EXPECT_EQ(connect_to(path), GRPC_CHANNEL_READY);
  EXPECT_EQ(connect_to(joined("127.0.0.1:", ports[2])), GRPC_CHANNEL_READY);
}

TEST(Server, ListensOnEveryAddressOfAName) {
  addrinfo* found = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &found) != 0) {
    GTEST_SKIP() << "\"localhost\" has no address here (/etc/hosts)";
  }
  freeaddrinfo(found);
  const auto server = start({"localhost:0"});
  ASSERT_TRUE(server.ok()) << server.status();
  // Not by its name: gRPC's resolver would look it up, and leaks a few bytes.
  EXPECT_EQ(connect_to(joined("127.0.0.1:", (*server)->ports()[0])), GRPC_CHANNEL_READY);
}

TEST(Server, ErrorNamesTheAddressThatCannotBeBound) {
  const auto first = start({"127.0.0.1:0"});
  ASSERT_TRUE(first.ok());
  const std::string taken = joined("127.0.0.1:", (*first)->ports()[0]);
  const absl::Status second = start({"127.0.0.1:0", taken}).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(message_of(second), joined("listen: ", taken, ": Address already in use"));

  const absl::Status foreign = start({"192.0.2.1:50051"}).status();
  EXPECT_EQ(foreign.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(message_of(foreign), "listen: 192.0.2.1:50051: Cannot assign requested address");
  for (const char* bad : {"", "50051", ":1", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
                          "127.0.0.1:99999999", "::1:5", "unix:"}) {
    EXPECT_EQ(start({bad}).status().code(), absl::StatusCode::kInvalidArgument) << bad;
  }
  EXPECT_EQ(start({"unix:" + std::string(200, 'x')}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(message_of(start({"unix:/no/such/directory/s"}).status()),
            "listen: unix:/no/such/directory/s: No such file or directory");
}

TEST(Server, ReplacesAUnixSocketOnlyIfNoProcessListens) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("drip.sock");
  {
    const auto alive = start({"unix:" + path});
    ASSERT_TRUE(alive.ok()) << alive.status();
    const absl::Status second = start({"unix:" + path}).status();
    EXPECT_EQ(second.code(), absl::StatusCode::kAlreadyExists);
    EXPECT_EQ(message_of(second), "listen: unix:" + path + ": another process listens there");
    EXPECT_EQ(connect_to("unix:" + path), GRPC_CHANNEL_READY) << "the first still has it";
  }
  EXPECT_FALSE(std::filesystem::exists(path)) << "removed in the end";

  // What a daemon that was killed leaves behind.
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, sizeof name.sun_path - 1);
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  close(dead);
  EXPECT_TRUE(start({"unix:" + path}).ok());

  std::ofstream(path) << "precious";
  EXPECT_EQ(message_of(start({"unix:" + path}).status()),
            "listen: unix:" + path + ": the file exists and is no socket");
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST(Server, LeavesAPathThatAnotherProcessHasBound) {
  const TemporaryDirectory directory;
  const std::string path = directory.path_of("drip.sock");
  auto first = start({"unix:" + path});
  ASSERT_TRUE(first.ok());
  std::filesystem::remove(path);
  const auto second = start({"unix:" + path});
  ASSERT_TRUE(second.ok());
  first->reset();
  EXPECT_EQ(connect_to("unix:" + path), GRPC_CHANNEL_READY);
}

class GenericRpc : public NodeFixture {
 protected:
  /// Calls any method with the bytes of its message; the reply's bytes.
  std::string call_raw(const std::string& method, const std::string& bytes) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    const grpc::Slice slice(bytes);
    const grpc::ByteBuffer request(&slice, 1);
    const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
    call->StartCall();
    grpc::ByteBuffer reply;
    call->Finish(&reply, &status_, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    std::vector<grpc::Slice> slices;
    std::string text;
    if (status_.ok() && reply.Dump(&slices).ok()) {
      for (const grpc::Slice& part : slices) {
        text.append(reinterpret_cast<const char*>(part.begin()), part.size());
      }
    }
    return text;
  }
};

TEST_F(GenericRpc, HealthAnswers) {
  const std::string serving("\x08\x01", 2);  // HealthCheckResponse { status: SERVING }
  const std::string not_serving("\x08\x02", 2);
  EXPECT_EQ(call_raw("/grpc.health.v1.Health/Check", ""), serving);
  expect_ok();
  node_->begin_drain();
  EXPECT_EQ(call_raw("/grpc.health.v1.Health/Check", ""), not_serving);
  configure("bucket_id: 'a' capacity: 1 leak_rate: 1");
  expect_ok();
}

TEST_F(GenericRpc, ReflectionAnswers) {
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const auto call = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void* tag = nullptr;
  bool ok = false;
  call->StartCall(nullptr);
  queue.Next(&tag, &ok);
  // ServerReflectionRequest { list_services: "*" }
  const grpc::Slice slice(std::string("\x3a\x01*", 3));
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  queue.Next(&tag, &ok);
  grpc::ByteBuffer reply;
  call->Read(&reply, nullptr);
  queue.Next(&tag, &ok);
  ASSERT_TRUE(ok);
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(reply.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& part : slices) {
    text.append(reinterpret_cast<const char*>(part.begin()), part.size());
  }
  for (const char* service :
       {"drip.v1.RateLimiterService", "drip.v1.ShaperService", "grpc.health.v1.Health"}) {
    EXPECT_NE(text.find(service), std::string::npos) << service;
  }
  context.TryCancel();
  call->Finish(&status_, nullptr);
  while (queue.Next(&tag, &ok) && tag != nullptr) {
  }
  queue.Shutdown();
}

// A message with random fields, hostile ones among them.
void randomize(google::protobuf::Message& message, std::mt19937& random, int depth) {
  using google::protobuf::FieldDescriptor;
  static const std::vector<std::string> kTexts = {"",           "a",          "b",
                                                  "r",          "a/b",        std::string(129, 'x'),
                                                  "\x01\x7f",   "10.0.0.0/8", "2001:db8::/32",
                                                  "1.2.3.4/99", "lan",        ">a",
                                                  "@7",         "%s%n",       "\xc3\xa9"};
  static const std::vector<double> kNumbers = {0,   -1,   1,     0.5,    10,        1e3,
                                               1e9, 4e11, 1e300, -1e300, 1.0 / 3600};
  const auto* type = message.GetDescriptor();
  const auto* reflection = message.GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* field = type->field(i);
    if (random() % 3 == 0) continue;
    const double number = random() % 8 == 0 ? std::nan("") : kNumbers[random() % kNumbers.size()];
    const auto integer = static_cast<std::uint64_t>(random()) >> (random() % 32);
    const std::string& text = kTexts[random() % kTexts.size()];
    if (field->is_repeated()) {
      for (unsigned n = random() % 4; n > 0; --n) {
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && depth < 5) {
          randomize(*reflection->AddMessage(&message, field), random, depth + 1);
        } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
          reflection->AddString(&message, field, text);
        }
      }
      continue;
    }
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth < 5) randomize(*reflection->MutableMessage(&message, field), random, depth + 1);
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        reflection->SetString(&message, field, text);
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        reflection->SetDouble(&message, field, number);
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        reflection->SetUInt64(&message, field, random() % 4 == 0 ? ~integer : integer);
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        reflection->SetUInt32(&message, field, static_cast<std::uint32_t>(integer));
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        reflection->SetInt32(&message, field, static_cast<std::int32_t>(integer) - 100);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        reflection->SetEnumValue(&message, field, static_cast<int>(random() % 6) - 1);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        reflection->SetBool(&message, field, random() % 2 == 0);
        break;
      default:
        break;
    }
  }
}

class RandomRequests : public GenericRpc, public testing::WithParamInterface<unsigned> {};

TEST_P(RandomRequests, NeverStopTheNode) {
  std::mt19937 random(GetParam());
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  for (const char* name : {"drip.v1.RateLimiterService", "drip.v1.ShaperService"}) {
    const auto* service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(name);
    for (int i = 0; i < service->method_count(); ++i) {
      // Those that may last have tests of their own.
      if (service->method(i)->name() == "AwaitTurn" || service->method(i)->server_streaming()) {
        continue;
      }
      methods.push_back(service->method(i));
    }
  }
  configure("bucket_id: 'a' capacity: 10 leak_rate: 1000");
  int answered = 0;
  for (int i = 0; i < 600; ++i) {
    const auto* method = methods[random() % methods.size()];
    const std::unique_ptr<google::protobuf::Message> request(
        google::protobuf::MessageFactory::generated_factory()
            ->GetPrototype(method->input_type())
            ->New());
    randomize(*request, random, 0);
    // Hardly ever the present one.
    auto* const set_rules = dynamic_cast<v1::SetRulesRequest*>(request.get());
    if (set_rules != nullptr && random() % 4 > 0) set_rules->clear_expected_revision();
    std::string bytes = request->SerializeAsString();
    if (random() % 10 == 0 && !bytes.empty()) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    call_raw("/" + method->service()->full_name() + "/" + method->name(), bytes);
    const std::set<grpc::StatusCode> about_the_request = {grpc::OK, grpc::INVALID_ARGUMENT,
                                                          grpc::NOT_FOUND,
                                                          grpc::FAILED_PRECONDITION, grpc::ABORTED};
    // gRPC's own answer to bytes that are no such message.
    const std::set<grpc::StatusCode> unreadable = {grpc::UNIMPLEMENTED, grpc::INTERNAL};
    const std::unique_ptr<google::protobuf::Message> received(request->New());
    const auto& expected = received->ParseFromString(bytes) ? about_the_request : unreadable;
    EXPECT_TRUE(expected.contains(status_.error_code()))
        << method->name() << ": " << status_.error_code() << " " << status_.error_message() << "\n"
        << received->DebugString();
    answered += status_.ok() ? 1 : 0;
    if (i % 20 == 0) engine_.advance(Duration{100'000'000});
  }
  EXPECT_GT(answered, 50);
  remove("bucket_id: 'none'");
  EXPECT_EQ(status_.error_code(), grpc::NOT_FOUND);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomRequests, testing::Range(1U, 6U));

}  // namespace
}  // namespace drip::control
