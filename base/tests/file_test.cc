#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace atalaya {
namespace {

std::filesystem::path TempFile(const std::string& name) { return testing::TempDir() + "/" + name; }

TEST(File, AtomicWriteReplacesContentAndSetsMode) {
  const auto path = TempFile("atomic");
  ASSERT_TRUE(WriteFileAtomic(path, "old"));
  ASSERT_TRUE(WriteFileAtomic(path, "new", 0600));
  EXPECT_EQ(*ReadFile(path), "new");
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0600u);
}

TEST(File, NamesWhatIsMissingOrTooLarge) {
  EXPECT_EQ(ReadFile("/nonexistent/file").error().code, ErrorCode::kNotFound);
  const auto path = TempFile("large");
  ASSERT_TRUE(WriteFileAtomic(path, "12345"));
  EXPECT_EQ(ReadFile(path, 4).error().code, ErrorCode::kLimit);
  EXPECT_EQ(WriteFileAtomic("/nonexistent/file", "x").error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace atalaya
