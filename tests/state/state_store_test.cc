// SPDX-License-Identifier: BSD-3-Clause
// What was stored is there after the next open(), whatever happens to the files meanwhile.
#include "state/state_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <vector>

#include "base/text.h"
#include "support/temporary_directory.h"
#include "support/wait_until.h"

namespace drip::state {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Stores one value, and waits until it is on the disk.
absl::Status store(StateStore& store, const std::string& key, const std::string& value) {
  Batch batch;
  batch.put(key, value);
  std::promise<absl::Status> done;
  store.append(std::move(batch), [&](const absl::Status& status) { done.set_value(status); });
  return done.get_future().get();
}

class StateStoreTest : public testing::Test {
 protected:
  std::unique_ptr<StateStore> open(std::uint64_t least_bytes = StateStore::kLeastJournalBytes) {
    auto opened = StateStore::open(path_, least_bytes);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? *std::move(opened) : nullptr;
  }
  // With what is there, and what was said of it.
  std::string problem_of_open() {
    const auto opened = StateStore::open(path_);
    return opened.ok() ? "" : std::string(opened.status().message());
  }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  void await_snapshots(const StateStore& store, std::uint64_t count) {
    ASSERT_TRUE(wait_until([&] { return store.stats().snapshots >= count; }));
  }
  void overwrite(const std::string& name, std::size_t at, const std::string& bytes) {
    std::fstream file(path_ + "/" + name, std::ios::in | std::ios::out | std::ios::binary);
    ASSERT_TRUE(file.seekp(static_cast<std::streamoff>(at)));
    file << bytes;
  }

  const TemporaryDirectory directory_;
  const std::string path_ = directory_.path_of("state");
};

TEST_F(StateStoreTest, WhatWasStoredIsThereAgain) {
  {
    const auto first = open();
    EXPECT_THAT(first->take_image(), IsEmpty());
    EXPECT_TRUE(store(*first, "b/web", "1").ok());
    EXPECT_TRUE(store(*first, "b/dns", "2").ok());
    Batch batch;
    batch.erase("b/web");
    first->append(std::move(batch), nullptr);
    EXPECT_THAT(first->warnings(), IsEmpty());
  }
  const auto second = open();
  EXPECT_EQ(second->take_image(), (Image{{"b/dns", "2"}}));
  EXPECT_THAT(second->notes(), IsEmpty());
}

TEST_F(StateStoreTest, ChangesThatWaitAreStoredTogether) {
  constexpr int kChanges = 1000;
  std::atomic<int> stored{0};
  {
    const auto first = open();
    for (int i = 0; i < kChanges; ++i) {
      Batch batch;
      batch.put(joined("b/", i), "x");
      first->append(std::move(batch), [&](const absl::Status& status) { stored += status.ok(); });
    }
    first->append_late([](Batch& batch) { batch.put("s/late", "y"); }, nullptr);
    first->stop();
    EXPECT_LT(first->stats().commits, kChanges / 2);
  }
  EXPECT_EQ(stored, kChanges);
  EXPECT_EQ(open()->take_image().size(), kChanges + 1U);
}

TEST_F(StateStoreTest, AJournalThatHasGrownBecomesASnapshot) {
  const std::string value(1000, 'v');
  {
    const auto first = open(10'000);
    await_snapshots(*first, 1);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(store(*first, "b/same", value).ok());
    await_snapshots(*first, 2);
    EXPECT_TRUE(store(*first, "b/last", "z").ok());
  }
  EXPECT_EQ(open()->take_image(), (Image{{"b/last", "z"}, {"b/same", value}}));
  // What is no longer needed is gone: two generations are there, and the one that open() began.
  EXPECT_LE(files().size(), 8U);
}

TEST_F(StateStoreTest, ASnapshotThatCannotBeReadIsMadeUpForByTheOneBefore) {
  for (int start = 1; start <= 3; ++start) {
    const auto store_of_start = open();
    await_snapshots(*store_of_start, 1);
    EXPECT_TRUE(store(*store_of_start, joined("b/", start), "x").ok());
  }
  const std::vector<std::string> names = files();
  ASSERT_THAT(names, ElementsAre("journal.2", "journal.3", "lock", "snapshot.2", "snapshot.3"));
  overwrite("snapshot.3", 80, "damaged");
  const auto after = open();
  EXPECT_EQ(after->take_image(), (Image{{"b/1", "x"}, {"b/2", "x"}, {"b/3", "x"}}));
  ASSERT_EQ(after->notes().size(), 1U);
  EXPECT_THAT(after->notes()[0], AllOf(HasSubstr("/snapshot.3: byte 72: "), HasSubstr("checksum")));
  EXPECT_EQ(after->warnings(), after->notes());
  EXPECT_TRUE(std::filesystem::exists(path_ + "/snapshot.3.refused"));
}

TEST_F(StateStoreTest, TheVeryFirstSnapshotIsMadeUpForByAllJournals) {
  for (int start = 1; start <= 2; ++start) {
    const auto store_of_start = open();
    await_snapshots(*store_of_start, 1);
    EXPECT_TRUE(store(*store_of_start, joined("b/", start), "x").ok());
    if (start == 1) std::filesystem::remove(path_ + "/snapshot.1");
  }
  overwrite("snapshot.2", 60, "damaged");
  EXPECT_EQ(open()->take_image(), (Image{{"b/1", "x"}, {"b/2", "x"}}));
}

TEST_F(StateStoreTest, AJournalThatWasBeingWrittenCountsAsFarAsItGoes) {
  {
    const auto first = open();
    EXPECT_TRUE(store(*first, "b/1", "x").ok());
    EXPECT_TRUE(store(*first, "b/2", "x").ok());
    await_snapshots(*first, 1);
  }
  const std::string journal = path_ + "/journal.1";
  std::filesystem::resize_file(journal, std::filesystem::file_size(journal) - 3);
  {
    const auto second = open();
    EXPECT_EQ(second->take_image(), (Image{{"b/1", "x"}}));
    ASSERT_EQ(second->notes().size(), 1U);
    EXPECT_THAT(second->notes()[0],
                AllOf(HasSubstr("/journal.1: byte "), HasSubstr("3 bytes are missing")));
    EXPECT_THAT(second->warnings(), IsEmpty());  // Nobody was told that it had been stored.
    EXPECT_TRUE(store(*second, "b/3", "x").ok());
  }
  // What was cut off stays off, and what came after it is there.
  EXPECT_EQ(open()->take_image(), (Image{{"b/1", "x"}, {"b/3", "x"}}));
}

TEST_F(StateStoreTest, AJournalThatContinuesWhatCannotBeReadIsRefused) {
  {
    const auto first = open(2'000);
    await_snapshots(*first, 1);
    for (int i = 0; i < 10; ++i)
      EXPECT_TRUE(store(*first, joined("b/", i), std::string(300, 'x')).ok());
    await_snapshots(*first, 2);
    EXPECT_TRUE(store(*first, "b/last", "z").ok());
  }
  ASSERT_TRUE(std::filesystem::remove(path_ + "/snapshot.2"));
  overwrite("journal.1", 100, "damaged");
  const auto after = open();
  EXPECT_FALSE(after->take_image().contains("b/last"));
  ASSERT_EQ(after->notes().size(), 2U);
  EXPECT_THAT(after->notes()[1], AllOf(HasSubstr("/journal.2: byte 32: it continues byte "),
                                       HasSubstr(" of journal 1, of which 72 can be read")));
}

TEST_F(StateStoreTest, FilesOfANewerVersionAreRefusedAndTheLastGoodOnesUsed) {
  for (int start = 1; start <= 3; ++start) {
    const auto store_of_start = open();
    await_snapshots(*store_of_start, 1);
    EXPECT_TRUE(store(*store_of_start, joined("b/", start), "x").ok());
  }
  overwrite("snapshot.3", 8, "\x02");
  overwrite("journal.3", 8, "\x02");
  {
    const auto after = open();
    EXPECT_EQ(after->take_image(), (Image{{"b/1", "x"}, {"b/2", "x"}}));
    ASSERT_EQ(after->notes().size(), 2U);
    for (const std::string& note : after->notes()) {
      EXPECT_THAT(note, HasSubstr("byte 8: version: 2 is not allowed: 1 to 1; a newer dripd"));
    }
    EXPECT_TRUE(store(*after, "b/4", "x").ok());
  }
  EXPECT_EQ(open()->take_image(), (Image{{"b/1", "x"}, {"b/2", "x"}, {"b/4", "x"}}));
}

TEST_F(StateStoreTest, ADirectoryWithoutAnyUsableFileIsNotTakenForAnEmptyOne) {
  {
    const auto first = open();
    await_snapshots(*first, 1);
    EXPECT_TRUE(store(*first, "b/1", "x").ok());
  }
  { await_snapshots(*open(), 1); }
  overwrite("snapshot.1", 0, "XXXX");
  overwrite("snapshot.2", 0, "XXXX");
  std::filesystem::remove(path_ + "/journal.1");
  EXPECT_THAT(problem_of_open(),
              AllOf(HasSubstr("/snapshot.2: byte 0: this is no state file"),
                    HasSubstr("can be used: move the directory away to start without")));
}

TEST_F(StateStoreTest, ASecondUserIsRefusedWithTheFirstOnesProcess) {
  const auto first = open();
  EXPECT_THAT(problem_of_open(),
              HasSubstr(joined("state: ", path_, " is in use by another dripd (process ", getpid(),
                               "); each needs a directory of its own")));
}

TEST_F(StateStoreTest, ADirectoryThatCannotBeMadeIsAnError) {
  const auto opened = StateStore::open(directory_.path_of("no/such"));
  EXPECT_EQ(opened.status().message(),
            joined("state: ", directory_.path_of("no/such"), ": No such file or directory"));
}

// A file that may not grow is like a disk that is full, but for what is set aside (fallocate(2)):
// tests/system/state_test.py has a real one.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    set(bytes);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }
  void set(rlim_t bytes) const {
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  void end() const { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(StateStoreTest, AChangeThatWasNotWrittenIsWrittenLater) {
  {
    const auto first = open();
    await_snapshots(*first, 1);
    {
      const FullDisk disk(100);
      EXPECT_FALSE(store(*first, "b/1", std::string(std::size_t{2} << 20, 'x')).ok());
      EXPECT_FALSE(store(*first, "b/2", "x").ok());
    }
    ASSERT_TRUE(wait_until([&] { return first->warnings().empty(); }));
    EXPECT_TRUE(store(*first, "b/3", "x").ok());
  }
  EXPECT_EQ(open()->take_image().size(), 3U);
}

TEST_F(StateStoreTest, AStoreBeginsOnAFullDiskAndWaitsForRoom) {
  {
    const FullDisk disk(10);
    const auto first = open();
    EXPECT_FALSE(first->warnings().empty());
    EXPECT_FALSE(first->reserve(1).ok());
    disk.end();
    ASSERT_TRUE(wait_until([&] { return first->reserve(1).ok(); }));
    EXPECT_TRUE(store(*first, "b/1", "x").ok());
  }
  EXPECT_EQ(open()->take_image(), (Image{{"b/1", "x"}}));
}

}  // namespace
}  // namespace drip::state
