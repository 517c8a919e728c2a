#include "alertd/collect/metadata_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::alertd {
namespace {

using telemetry::FamilyMetadata;
using telemetry::MetricType;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const FamilyMetadata kCounter{"a", MetricType::kCounter, "Help.", ""};
const FamilyMetadata kGauge{"a", MetricType::kGauge, "Help.", ""};

TEST(MetadataBoard, KeepsEachTextOnceAndAsLongAsATargetSaysIt) {
  MetadataBoard board;
  board.Put(1, {kCounter});
  board.Put(2, {kGauge, kCounter});
  EXPECT_THAT(board.Snapshot(), ElementsAre(kCounter, kGauge));
  board.Put(2, {kGauge});
  EXPECT_THAT(board.Snapshot(), ElementsAre(kCounter, kGauge));
  board.Remove(1);
  EXPECT_THAT(board.Snapshot(), ElementsAre(kGauge));
  board.Remove(1);
  board.Put(2, {});
  EXPECT_THAT(board.Snapshot(), IsEmpty());
}

TEST(MetadataBoard, LeavesOutWhatIsOverItsLimits) {
  MetadataBoard board;
  board.Put(1, {{"long", MetricType::kGauge, std::string(kMaxMetadataBytes, 'x'), ""}, kCounter});
  EXPECT_THAT(board.Snapshot(), ElementsAre(kCounter));
  std::vector<FamilyMetadata> many;
  for (std::size_t i = 0; i <= kMaxMetadata; ++i)
    many.push_back({"m" + std::to_string(i), MetricType::kGauge, "", ""});
  board.Put(2, std::move(many));
  EXPECT_THAT(board.Snapshot(), SizeIs(kMaxMetadata));
  board.Remove(2);  // Makes room again.
  board.Put(2, {kGauge});
  EXPECT_THAT(board.Snapshot(), ElementsAre(kCounter, kGauge));
}

}  // namespace
}  // namespace atalaya::alertd
