#include "cloud_client/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/file.h"
#include "cloud_client/tests/temp_folder.h"

namespace atalaya::cloud_client {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kFirst = 100;

class SpoolTest : public testing::Test {
 protected:
  SpoolOptions Options() const {
    return {.directory = (folder_.path() / "spool").string(), .max_bytes = kDefaultSpoolBytes};
  }
  std::unique_ptr<Spool> Open(std::string_view client_id = "box") {
    Result<std::unique_ptr<Spool>> spool = Spool::Open(Options(), client_id, kFirst);
    EXPECT_TRUE(spool) << spool.error().message;
    return spool ? std::move(*spool) : nullptr;
  }
  static std::uint64_t Put(Spool* spool, const std::string& payload, Qos qos = Qos::kAtLeastOnce) {
    const auto sequence =
        spool->Append({.topic = "t", .payload = payload, .qos = qos, .retain = false}, 1'000);
    EXPECT_TRUE(sequence) << sequence.error().message;
    return sequence ? *sequence : 0;
  }
  // The payloads that are still to be sent.
  static std::vector<std::string> Rest(Spool* spool) {
    std::vector<std::string> payloads;
    while (true) {
      Result<std::optional<Spool::Entry>> entry = spool->Next();
      EXPECT_TRUE(entry) << entry.error().message;
      if (!entry || !*entry) return payloads;
      payloads.push_back((*entry)->packet.payload);
    }
  }
  std::vector<std::filesystem::path> Files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(Options().directory)) {
      files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  static void Flip(const std::filesystem::path& file, std::uint64_t position) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(position));
    const char byte = static_cast<char>(stream.get() ^ 0x40);
    stream.seekp(static_cast<std::streamoff>(position));
    stream.put(byte);
  }

  TempFolder folder_;
};

TEST_F(SpoolTest, GivesBackInOrderWhatWasSynced) {
  const auto spool = Open();
  const Client::Outgoing packet = {
      .topic = "a/b", .payload = "x", .qos = Qos::kExactlyOnce, .retain = true};
  EXPECT_EQ(*spool->Append(packet, 1'700'000'000'123), kFirst);
  EXPECT_FALSE(*spool->Next()) << "was not synced";
  ASSERT_TRUE(spool->Sync());
  const auto entry = *spool->Next();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->sequence, kFirst);
  EXPECT_EQ(entry->time_ms, 1'700'000'000'123);
  EXPECT_EQ(entry->packet.topic, "a/b");
  EXPECT_EQ(entry->packet.payload, "x");
  EXPECT_EQ(entry->packet.qos, Qos::kExactlyOnce);
  EXPECT_TRUE(entry->packet.retain);
  EXPECT_FALSE(entry->sent_before);
  for (const char* payload : {"1", "2", "3"}) Put(spool.get(), payload);
  ASSERT_TRUE(spool->Sync());
  EXPECT_THAT(Rest(spool.get()), ElementsAre("1", "2", "3"));
  spool->Rewind();
  EXPECT_THAT(Rest(spool.get()), ElementsAre("x", "1", "2", "3"));
  EXPECT_EQ(spool->pending(), 4u);
}

TEST_F(SpoolTest, ARestartGoesOnWhereItStood) {
  {
    const auto spool = Open();
    for (const char* payload : {"1", "2", "3", "4"}) Put(spool.get(), payload, Qos::kExactlyOnce);
    spool->Release(kFirst + 1);
    spool->Release(kFirst + 2);
    spool->Done(kFirst);
    spool->Done(kFirst + 2);  // Out of order: after a crash it is released, and its end asked for.
    spool->NoteDone();
    ASSERT_TRUE(spool->Sync());
  }
  const auto spool = Open();
  EXPECT_EQ(spool->pending(), 3u);
  auto entry = *spool->Next();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->packet.payload, "2");
  EXPECT_TRUE(entry->released);
  EXPECT_TRUE(entry->sent_before);
  entry = *spool->Next();
  EXPECT_EQ(entry->packet.payload, "3");
  EXPECT_TRUE(entry->released);
  entry = *spool->Next();
  EXPECT_EQ(entry->packet.payload, "4");
  EXPECT_FALSE(entry->released);
  EXPECT_EQ(Put(spool.get(), "5"), kFirst + 4);
}

TEST_F(SpoolTest, WhatIsDoneLeavesTheDisk) {
  const auto spool = Open();
  const std::string payload(50'000, 'x');
  for (int i = 0; i < 40; ++i) Put(spool.get(), payload);
  ASSERT_TRUE(spool->Sync());
  EXPECT_GT(Files().size(), 5u);
  EXPECT_GT(spool->disk_bytes(), 40 * payload.size());
  for (std::uint64_t i = 0; i < 40; ++i) spool->Done(kFirst + i);
  EXPECT_EQ(Files().size(), 1u);
  EXPECT_LT(spool->disk_bytes(), 2 * kSpoolSegmentBytes);
  EXPECT_EQ(spool->pending(), 0u);
  EXPECT_THAT(Rest(spool.get()), IsEmpty());
  Put(spool.get(), "after");
  ASSERT_TRUE(spool->Sync());
  EXPECT_THAT(Rest(spool.get()), ElementsAre("after"));
}

TEST_F(SpoolTest, StatesAloneDoNotFillIt) {
  const auto spool = Open();
  Put(spool.get(), "stays");
  for (std::uint64_t i = 1; i < 20'000; ++i) {
    Put(spool.get(), "");
    if (i % 100 == 0) {
      ASSERT_TRUE(spool->Sync());
    }
    spool->Release(kFirst + i);
  }
  ASSERT_TRUE(spool->Sync());
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    spool->Done(kFirst + i);
    spool->NoteDone();
  }
  EXPECT_LE(Files().size(), 2u);
  EXPECT_LT(spool->disk_bytes(), 2 * kSpoolSegmentBytes);
}

TEST_F(SpoolTest, RefusesWhenItIsFullAndTakesAgainWhenThereIsRoom) {
  SpoolOptions options = Options();
  options.max_bytes = kMinSpoolBytes;
  const auto spool = std::move(*Spool::Open(options, "box", kFirst));
  const Client::Outgoing packet = {.topic = "t", .payload = std::string(100'000, 'x')};
  std::uint64_t taken = 0;
  Result<std::uint64_t> stored = spool->Append(packet, 0);
  for (; stored; stored = spool->Append(packet, 0)) ++taken;
  EXPECT_EQ(stored.error().code, ErrorCode::kLimit);
  EXPECT_EQ(taken, 10u);
  ASSERT_TRUE(spool->Sync());
  EXPECT_EQ(Rest(spool.get()).size(), taken);
  for (std::uint64_t i = 0; i < 5; ++i) spool->Done(kFirst + i);
  EXPECT_TRUE(spool->Append(packet, 0));
}

TEST_F(SpoolTest, ATornTailCostsOnlyItself) {
  {
    const auto spool = Open();
    for (const char* payload : {"1", "2", "3"}) Put(spool.get(), payload);
    ASSERT_TRUE(spool->Sync());
  }
  const std::uint64_t whole = std::filesystem::file_size(Files().front());
  std::filesystem::resize_file(Files().front(), whole - 1);
  {
    const auto spool = Open();
    EXPECT_EQ(spool->damaged(), 1u);
    // Its packet id may be known to the server: those after it keep away from it.
    EXPECT_GE(Put(spool.get(), "4"), kFirst + 2 + kSkipAfterDamage);
    ASSERT_TRUE(spool->Sync());
    EXPECT_THAT(Rest(spool.get()), ElementsAre("1", "2", "4"));
  }
  const auto spool = Open();
  EXPECT_THAT(Rest(spool.get()), ElementsAre("1", "2", "4"));
  EXPECT_EQ(spool->damaged(), 0u);
  spool->Done(kFirst);
  spool->Done(kFirst + 1);
  spool->Done(spool->next_sequence() - 1);
  EXPECT_EQ(spool->pending(), 0u);
}

TEST_F(SpoolTest, EveryCutLeavesAPrefix) {
  {
    const auto spool = Open();
    for (const char* payload : {"1", "2", "3"}) Put(spool.get(), payload);
    ASSERT_TRUE(spool->Sync());
  }
  const std::filesystem::path file = Files().front();
  const std::string bytes = *ReadFile(file);
  const std::vector<std::string> all = {"1", "2", "3"};
  for (std::size_t size = bytes.size(); size-- > 0;) {
    for (const auto& each : Files()) std::filesystem::remove(each);
    std::ofstream(file, std::ios::binary) << bytes.substr(0, size);
    const auto spool = Open();
    ASSERT_TRUE(spool) << size;
    const std::vector<std::string> rest = Rest(spool.get());
    ASSERT_LT(rest.size(), 3u) << size;
    ASSERT_TRUE(std::equal(rest.begin(), rest.end(), all.begin())) << size;
    Put(spool.get(), "new");
    ASSERT_TRUE(spool->Sync());
    ASSERT_THAT(Rest(spool.get()), ElementsAre("new")) << size;
  }
}

TEST_F(SpoolTest, AFlippedByteCostsOnlyTheRecordThatItIsIn) {
  {
    const auto spool = Open();
    for (const char* payload : {"1", "2", "3", "4"}) Put(spool.get(), payload);
    ASSERT_TRUE(spool->Sync());
  }
  const std::filesystem::path file = Files().front();
  const std::string bytes = *ReadFile(file);
  for (std::size_t position = 0; position < bytes.size(); ++position) {
    for (const auto& each : Files()) std::filesystem::remove(each);
    std::ofstream(file, std::ios::binary) << bytes;
    Flip(file, position);
    const auto spool = Open();
    ASSERT_TRUE(spool) << position;
    const std::vector<std::string> rest = Rest(spool.get());
    ASSERT_GE(rest.size(), 3u) << position;
    ASSERT_TRUE(std::is_sorted(rest.begin(), rest.end())) << position;
    ASSERT_EQ(spool->damaged(), 1u) << position;
  }
}

TEST_F(SpoolTest, WhatIsLostInTheMiddleIsNotWaitedFor) {
  {
    const auto spool = Open();
    for (const char* payload : {"1", "lost", "3"}) Put(spool.get(), payload);
    ASSERT_TRUE(spool->Sync());
  }
  const std::string bytes = *ReadFile(Files().front());
  Flip(Files().front(), bytes.find("lost"));
  const auto spool = Open();
  EXPECT_THAT(Rest(spool.get()), ElementsAre("1", "3"));
  spool->Done(kFirst);
  spool->Done(kFirst + 2);
  EXPECT_EQ(spool->pending(), 0u);
}

TEST_F(SpoolTest, BelongsToOneClientAndOneProcess) {
  {
    const auto spool = Open();
    const auto second = Spool::Open(Options(), "box", kFirst);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::kBusy);
  }
  const auto other = Spool::Open(Options(), "other", kFirst);
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("belongs to client id \"box\", not \"other\""));
}

TEST_F(SpoolTest, RefusesANewerFormatByName) {
  std::filesystem::create_directory(Options().directory);
  SpoolRecord header;
  header.type = SpoolRecordType::kHeader;
  header.version = kSpoolVersion + 1;
  std::string bytes;
  AppendSpoolRecord(header, 0, &bytes);
  std::ofstream(Options().directory + "/0000000000000001.spool", std::ios::binary) << bytes;
  const auto spool = Spool::Open(Options(), "box", kFirst);
  ASSERT_FALSE(spool);
  EXPECT_EQ(spool.error().code, ErrorCode::kVersion);
  EXPECT_THAT(spool.error().message, HasSubstr("format version 2 is newer"));
}

// Written by the first version that had a spool: three publishes, the first done, the second
// released.
TEST_F(SpoolTest, ReadsTheKeptSampleOfVersion1) {
  std::filesystem::create_directory(Options().directory);
  std::filesystem::copy_file("tests/fuzz/client_spool/version1",
                             Options().directory + "/0000000000000001.spool");
  const auto spool = Open();
  const auto entry = *spool->Next();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->packet.topic, "telemetry/box/load");
  EXPECT_TRUE(entry->released);
  EXPECT_EQ(entry->time_ms, 1'700'000'000'123);
  EXPECT_EQ(Rest(spool.get()).size(), 1u);
}

}  // namespace
}  // namespace atalaya::cloud_client
