// SPDX-License-Identifier: BSD-3-Clause
// Every method of the API has a role, and each role makes its calls and no others.
#include "access/methods.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/text.h"
#include "drip/v1/rate_limiter.pb.h"
#include "drip/v1/shaper.pb.h"

namespace drip::access {
namespace {

using google::protobuf::ServiceDescriptor;

std::set<std::string> methods_of_the_api() {
  std::set<std::string> methods;
  for (const auto* const file :
       {v1::AllowRequestRequest::descriptor()->file(), v1::GetNodeRequest::descriptor()->file()}) {
    for (int i = 0; i < file->service_count(); ++i) {
      const ServiceDescriptor& service = *file->service(i);
      for (int j = 0; j < service.method_count(); ++j) {
        methods.insert(service.name() + "/" + service.method(j)->name());
      }
    }
  }
  return methods;
}

TEST(Methods, EachOfTheApiHasARoleAndNoOther) {
  std::set<std::string> known;
  for (const MethodAccess& method : all_methods()) {
    const std::string name = joined(method.service, "/", method.method);
    EXPECT_TRUE(known.insert(name).second) << name << " is there twice";
    EXPECT_EQ(find_method(method.service, method.method), &method);
  }
  EXPECT_EQ(known, methods_of_the_api());
  EXPECT_EQ(find_method("ShaperService", "AllowRequest"), nullptr);
}

// What changes anything is for admin, what takes a place in a queue for operate; by its name, so
// that a new method that changes something is not declared to be for reading.
TEST(Methods, WhatChangesSomethingIsNotForReading) {
  const std::set<std::string_view> reading = {"Get", "List", "Watch", "Explain"};
  const std::set<std::string_view> requests = {"Allow", "Await"};
  const auto begins_with_one = [](std::string_view name, const std::set<std::string_view>& words) {
    for (const std::string_view word : words) {
      if (name.starts_with(word)) return true;
    }
    return false;
  };
  for (const MethodAccess& method : all_methods()) {
    const Role least = begins_with_one(method.method, reading)    ? Role::kRead
                       : begins_with_one(method.method, requests) ? Role::kOperate
                                                                  : Role::kAdmin;
    EXPECT_GE(method.role, least) << method.method;
  }
}

TEST(Methods, RefusalSaysWhoWasSeenAndWhatIsNeeded) {
  const MethodAccess& configure = *find_method("RateLimiterService", "ConfigureBucket");
  const Caller reader{"token \"ci\"", Role::kRead, ""};
  EXPECT_EQ(message_of(check_may_call(reader, configure)),
            "ConfigureBucket needs the role admin; seen as token \"ci\" with the role read");
  EXPECT_TRUE(absl::IsPermissionDenied(check_may_call(reader, configure)));
  EXPECT_TRUE(check_may_call({"x", Role::kAdmin, ""}, configure).ok());
}

TEST(Methods, CallersWithAPrefixMakeOnlyCallsAboutBuckets) {
  const Caller tenant{"token \"acme\"", Role::kAdmin, "acme/"};
  for (const MethodAccess& method : all_methods()) {
    EXPECT_EQ(check_may_call(tenant, method).ok(), method.about_buckets) << method.method;
  }
  EXPECT_EQ(
      message_of(check_may_call(tenant, *find_method("ShaperService", "GetNode"))),
      "GetNode is about the whole node; seen as token \"acme\", which is kept to buckets that "
      "begin with \"acme/\"");
}

TEST(Methods, APrefixCoversNamesThatBeginWithIt) {
  const Caller tenant{"token \"acme\"", Role::kAdmin, "acme/"};
  EXPECT_TRUE(check_covers(tenant, "bucket_id", "acme/web").ok());
  for (const char* const foreign : {"", "acme", "acmeX", "other/acme/", "Acme/web"}) {
    const absl::Status status = check_covers(tenant, "bucket_id", foreign);
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << foreign;
    EXPECT_THAT(std::string(message_of(status)), testing::StartsWith("bucket_id: \""));
  }
  EXPECT_TRUE(check_covers({"x", Role::kRead, ""}, "bucket_id", "any").ok());
}

}  // namespace
}  // namespace drip::access
