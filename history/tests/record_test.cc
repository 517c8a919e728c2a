#include "history/record.h"

#include <gtest/gtest.h>

namespace atalaya::history {
namespace {

TEST(Record, KeepsLabels) {
  const telemetry::Labels labels({{"__name__", "x"}, {"a", std::string("q\"\n\0", 4)}});
  EXPECT_EQ(*DecodeLabels(EncodeLabels(labels)), labels);
  const std::string bytes = EncodeLabels(labels);
  EXPECT_FALSE(DecodeLabels(std::string_view(bytes).substr(0, bytes.size() - 1)));
}

TEST(Record, KeepsBatches) {
  const std::vector<BatchSample> batch = {
      {7, {1'700'000'000'000, 42}}, {3, {1'700'000'000'000, -0.1}}, {2'000'000, {5, 1e308}}};
  EXPECT_EQ(*DecodeBatch(EncodeBatch(batch)), batch);
}

TEST(Record, RefusesDamagedBatches) {
  const std::string bytes = EncodeBatch({{7, {1'700'000'000'000, 42}}, {8, {1, 0.5}}});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeBatch(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_EQ(DecodeBatch("\x02").error().code, ErrorCode::kVersion);
  EXPECT_EQ(DecodeBatch("\x01\xff\xff\xff\xff\xff\x01").error().code, ErrorCode::kDamaged);
}

}  // namespace
}  // namespace atalaya::history
