#include "alertd/collect/target_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"

namespace atalaya::alertd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string ErrorOf(std::string_view json) {
  const Result<std::vector<TargetGroup>> groups = ParseTargetFile(json);
  return groups ? "no error" : groups.error().message;
}

TEST(TargetFile, IsPrometheusForm) {
  const auto groups = ParseTargetFile(
      R"([{"targets": ["a:1", "b:2"], "labels": {"room": "cellar"}}, {"targets": []}, {}])");
  ASSERT_TRUE(groups) << groups.error().message;
  ASSERT_THAT(*groups, SizeIs(3));
  EXPECT_THAT((*groups)[0].addresses, ElementsAre("a:1", "b:2"));
  EXPECT_EQ((*groups)[0].labels.at("room"), "cellar");
}

TEST(TargetFile, IsNothingElse) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("is no JSON"));
  EXPECT_THAT(ErrorOf("[{]"), HasSubstr("is no JSON"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("expected [{"));
  EXPECT_THAT(ErrorOf("[1]"), HasSubstr("expected [{"));
  EXPECT_THAT(ErrorOf(R"([{"target": []}])"), HasSubstr("\"target\" is not understood"));
  EXPECT_THAT(ErrorOf(R"([{"targets": "a:1"}])"), HasSubstr("\"targets\" is not understood"));
  EXPECT_THAT(ErrorOf(R"([{"targets": [1]}])"), HasSubstr("a target is no text"));
  EXPECT_THAT(ErrorOf(R"([{"labels": {"a": 1}}])"), HasSubstr("the label \"a\" is no text"));
}

// A loop that runs until the files are said to have changed.
class TargetFilesTest : public testing::Test {
 protected:
  TargetFilesTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atalaya-sd-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    pattern_ = (folder_ / "*.json").string();
    files_ = *TargetFiles::Create(*loop_, [this] {
      changed_ = true;
      loop_->Stop();
    });
  }
  ~TargetFilesTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void Write(const std::string& name, const std::string& text) {
    ASSERT_TRUE(WriteFileAtomic(folder_ / name, text));
  }
  // Far sooner than kTargetFilesRefresh: inotify told of it.
  bool WaitForChange() {
    changed_ = false;
    const TimerId deadline = loop_->RunAfter(std::chrono::seconds(20), [this] { loop_->Stop(); });
    loop_->Run();
    loop_->CancelTimer(deadline);
    return changed_;
  }
  std::vector<std::string> Addresses() {
    std::vector<std::string> all;
    for (const TargetGroup& group : files_->Groups(pattern_))
      all.insert(all.end(), group.addresses.begin(), group.addresses.end());
    return all;
  }

  std::unique_ptr<EventLoop> loop_ = *EventLoop::Create();
  std::filesystem::path folder_;
  std::string pattern_;
  std::unique_ptr<TargetFiles> files_;
  bool changed_ = false;
};

TEST_F(TargetFilesTest, AreReadAgainOnChange) {
  Write("a.json", R"([{"targets": ["a:1"]}])");
  files_->Watch({pattern_});
  EXPECT_THAT(Addresses(), ElementsAre("a:1"));
  EXPECT_EQ(files_->Groups(pattern_)[0].labels.at("__meta_filepath"), folder_ / "a.json");
  Write("a.json", R"([{"targets": ["a:2"]}])");
  ASSERT_TRUE(WaitForChange());
  EXPECT_THAT(Addresses(), ElementsAre("a:2"));
  Write("b.json", R"([{"targets": ["b:1"]}])");
  ASSERT_TRUE(WaitForChange());
  EXPECT_THAT(Addresses(), ElementsAre("a:2", "b:1"));
  std::filesystem::remove(folder_ / "a.json");
  ASSERT_TRUE(WaitForChange());
  EXPECT_THAT(Addresses(), ElementsAre("b:1"));
}

TEST_F(TargetFilesTest, KeepTheirTargetsWhileTheyAreBroken) {
  Write("a.json", R"([{"targets": ["a:1"]}])");
  Write("b.json", "[");
  files_->Watch({pattern_});
  EXPECT_THAT(Addresses(), ElementsAre("a:1"));
  EXPECT_EQ(files_->broken(), 1u);
  Write("a.json", "[");
  Write("b.json", R"([{"targets": ["b:1"]}])");
  ASSERT_TRUE(WaitForChange());
  while (files_->broken() != 1 || Addresses().size() != 2) ASSERT_TRUE(WaitForChange());
  EXPECT_THAT(Addresses(), ElementsAre("a:1", "b:1"));
  Write("a.json", "[]");
  ASSERT_TRUE(WaitForChange());
  EXPECT_THAT(Addresses(), ElementsAre("b:1"));
  EXPECT_EQ(files_->broken(), 0u);
}

TEST_F(TargetFilesTest, OfAFolderThatIsNotThereAreNone) {
  const std::string nowhere = (folder_ / "nowhere/*.json").string();
  files_->Watch({nowhere});
  EXPECT_THAT(files_->Groups(nowhere), IsEmpty());
}

}  // namespace
}  // namespace atalaya::alertd
