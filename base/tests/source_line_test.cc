#include "base/source_line.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"

namespace atalaya {
namespace {

class SourceLine : public testing::Test {
 protected:
  SourceLine() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atalaya-line-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    path_ = (folder_ / "a.toml").string();
    EXPECT_TRUE(WriteFileAtomic(path_, "first\n\tfor = \"5x\"\nm\xc3\xbcll = 1"));
  }
  ~SourceLine() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(SourceLine, StandsBelowEachFaultThatNamesItsPlace) {
  EXPECT_EQ(WithSourceLines(path_ + ":2:8: for: wrong\nno place\n" + path_ + ":3:6: odd"),
            path_ + ":2:8: for: wrong\n  \tfor = \"5x\"\n  \t      ^\nno place\n" + path_ +
                ":3:6: odd\n  m\xc3\xbcll = 1\n       ^");
}

TEST_F(SourceLine, IsLeftOutWhereThereIsNone) {
  for (const std::string& fault :
       {path_ + ":4:1: beyond", path_ + ".gone:1:1: no file", path_ + ":0:1: x", path_ + ":1: x",
        std::string("cloud_alertd: no place at all"), std::string(":1:1: x"), std::string()})
    EXPECT_EQ(WithSourceLines(fault), fault);
}

}  // namespace
}  // namespace atalaya
