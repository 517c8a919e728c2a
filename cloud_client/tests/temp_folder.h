#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "base/check.h"

namespace atalaya::cloud_client {

// A folder of a test's own, which is removed with it.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = testing::TempDir() + "cloud_client_XXXXXX";
    ATALAYA_CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace atalaya::cloud_client
