// SPDX-License-Identifier: BSD-3-Clause
// Which threads get another nice, and that they get the former one back.
#include "netdev/softirq_priority.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "fmt/format.h"
#include "support/temporary_directory.h"

namespace drip::netdev {
namespace {

constexpr const char* kOfTheKernel = "2129984";  // 0x208040, as ksoftirqd has them.
constexpr const char* kOfAProcess = "4194304";

// A thread of this process that stands for one of the kernel.
class Thread {
 public:
  Thread() : thread_([this] { run(); }) {
    while (id_ == 0) std::this_thread::yield();
  }
  ~Thread() {
    end_ = true;
    end_.notify_one();
    thread_.join();
  }
  [[nodiscard]] pid_t id() const { return id_; }
  [[nodiscard]] int nice() const { return getpriority(PRIO_PROCESS, static_cast<id_t>(id_)); }

 private:
  void run() {
    id_ = gettid();
    end_.wait(false);
  }
  std::atomic<pid_t> id_{0};
  std::atomic<bool> end_{false};
  std::thread thread_;
};

class SoftirqPriorityTest : public testing::Test {
 protected:
  void add(const Thread& thread, const std::string& name, const char* flags = kOfTheKernel) {
    const std::filesystem::path directory = proc_.path_of(std::to_string(thread.id()));
    std::filesystem::create_directory(directory);
    std::ofstream(directory / "stat")
        << fmt::format("{} ({}) S 2 0 0 0 -1 {} 0 0", thread.id(), name, flags);
  }
  [[nodiscard]] std::unique_ptr<SoftirqPriority> apply(const std::vector<unsigned>& cpus,
                                                       int nice) const {
    return std::make_unique<SoftirqPriority>(cpus, nice, proc_.path_of(""));
  }
  TemporaryDirectory proc_;
};

// A nice above the present one, which needs no right; to have the former one back does.
bool may_lower_nice() { return geteuid() == 0; }

TEST_F(SoftirqPriorityTest, OfThePollingCpusAloneAndUntilTheEnd) {
  const Thread polled;
  const Thread other;
  add(polled, "ksoftirqd/1");
  add(other, "ksoftirqd/11");
  const int before = polled.nice();
  auto priority = apply({0, 1}, before + 3);
  EXPECT_EQ(polled.nice(), before + 3);
  EXPECT_EQ(other.nice(), before);
  if (!may_lower_nice()) GTEST_SKIP() << "CAP_SYS_NICE is needed to lower a nice again";
  priority.reset();
  EXPECT_EQ(polled.nice(), before);
}

TEST_F(SoftirqPriorityTest, AProcessThatHasTakenTheNameIsLeftAlone) {
  const Thread impostor;
  add(impostor, "ksoftirqd/1", kOfAProcess);
  const int before = impostor.nice();
  const auto priority = apply({1}, before + 3);
  EXPECT_EQ(impostor.nice(), before);
}

TEST_F(SoftirqPriorityTest, WhoHasTheNiceAlreadyKeepsIt) {
  const Thread polled;
  add(polled, "ksoftirqd/1");
  ASSERT_EQ(setpriority(PRIO_PROCESS, static_cast<id_t>(polled.id()), 2), 0);
  apply({1}, 2).reset();
  EXPECT_EQ(polled.nice(), 2);
}

TEST_F(SoftirqPriorityTest, ANameWithBlanksAndBracketsIsRead) {
  const Thread strange;
  const Thread polled;
  add(strange, "a) R (b");
  add(polled, "ksoftirqd/2");
  const int before = strange.nice();
  const auto priority = apply({2}, before + 1);
  EXPECT_EQ(strange.nice(), before);
  EXPECT_EQ(polled.nice(), before + 1);
}

TEST(SoftirqPriority, WithoutProcfsNothingHappens) {
  const SoftirqPriority priority({0}, 0, "/nonexistent");
}

}  // namespace
}  // namespace drip::netdev
