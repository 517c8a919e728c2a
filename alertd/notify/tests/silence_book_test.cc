#include "alertd/notify/silence_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/notify/tests/notify_bench.h"

namespace atalaya::alertd {
namespace {

using telemetry::Labels;
using telemetry::Matcher;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using namespace std::chrono_literals;

constexpr std::int64_t kHourMs = 3'600'000;

class SilenceBookTest : public testing::Test {
 protected:
  SilenceBookTest() { Reopen(); }

  void Reopen() {
    book_.reset();
    Result<std::unique_ptr<SilenceBook>> book = SilenceBook::Open(OpenTestState(folder_), clock_);
    ASSERT_TRUE(book) << book.error().message;
    book_ = std::move(*book);
  }

  Silence OfInstance(const std::string& pattern, std::int64_t from_ms = 0,
                     std::int64_t to_ms = kHourMs) const {
    Silence silence;
    silence.matchers = {{Matcher::Kind::kRegex, "instance", pattern}};
    silence.starts_ms = clock_.NowMs() + from_ms;
    silence.ends_ms = clock_.NowMs() + to_ms;
    silence.created_by = "anna";
    silence.comment = "works on the roof";
    return silence;
  }

  std::string Set(const Silence& silence) {
    const Result<std::string> id = book_->Set(silence);
    EXPECT_TRUE(id) << id.error().message;
    return id.value_or("");
  }

  void ExpectRefused(const Silence& silence, ErrorCode code, const std::string& part) {
    const Result<std::string> id = book_->Set(silence);
    ASSERT_FALSE(id);
    EXPECT_EQ(id.error().code, code);
    EXPECT_THAT(id.error().message, HasSubstr(part));
  }

  TestFolder folder_;
  FakeClock clock_;
  std::unique_ptr<SilenceBook> book_;
  const Labels roof_{{{"alertname", "Down"}, {"instance", "roof-1"}}};
};

TEST_F(SilenceBookTest, CoversWhatAllItsMatchersHoldForWhileItIsActive) {
  const std::string id = Set(OfInstance("roof-.", kHourMs, 2 * kHourMs));
  EXPECT_THAT(book_->Covering(roof_), IsEmpty()) << "it has not begun";
  clock_.Advance(1h);
  EXPECT_THAT(book_->Covering(roof_), ElementsAre(id));
  EXPECT_THAT(book_->Covering(Labels({{"alertname", "Down"}, {"instance", "a-roof-1"}})),
              IsEmpty());
  clock_.Advance(1h);
  EXPECT_THAT(book_->Covering(roof_), IsEmpty()) << "it has ended";
}

TEST_F(SilenceBookTest, OutlivesARestart) {
  const std::string id = Set(OfInstance("roof-1"));
  Reopen();
  const std::optional<Silence> found = book_->Find(id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->matchers, OfInstance("roof-1").matchers);
  EXPECT_EQ(found->created_by, "anna");
  EXPECT_EQ(found->comment, "works on the roof");
  EXPECT_EQ(found->ends_ms, clock_.NowMs() + kHourMs);
  EXPECT_THAT(book_->Covering(roof_), ElementsAre(id));
}

TEST_F(SilenceBookTest, ForgetsThoseThatEndedDaysAgo) {
  Set(OfInstance("roof-1"));
  clock_.Advance(std::chrono::hours(5 * 24 + 2));
  Reopen();
  EXPECT_THAT(book_->List(), IsEmpty());
}

TEST_F(SilenceBookTest, EndsWhenAsked) {
  const std::string id = Set(OfInstance("roof-1"));
  ASSERT_TRUE(book_->Expire(id));
  EXPECT_THAT(book_->Covering(roof_), IsEmpty());
  Reopen();
  EXPECT_EQ(StateOf(*book_->Find(id), clock_.NowMs()), SilenceState::kExpired);
  EXPECT_EQ(book_->Expire(id).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(book_->Expire("none").error().code, ErrorCode::kNotFound);
}

TEST_F(SilenceBookTest, KeepsItsIdWhereOnlyItsEndChanges) {
  Silence silence = OfInstance("roof-1");
  silence.id = Set(silence);
  clock_.Advance(1min);
  silence.ends_ms += kHourMs;
  EXPECT_EQ(Set(silence), silence.id);
  EXPECT_THAT(book_->List(), SizeIs(1));
  EXPECT_EQ(book_->Find(silence.id)->ends_ms, silence.ends_ms);
}

TEST_F(SilenceBookTest, MakesANewOneOfOtherMatchers) {
  Silence silence = OfInstance("roof-1");
  const std::string old = Set(silence);
  silence.id = old;
  silence.matchers[0].value = "roof-2";
  const std::string id = Set(silence);
  EXPECT_NE(id, old);
  EXPECT_EQ(StateOf(*book_->Find(old), clock_.NowMs()), SilenceState::kExpired);
  EXPECT_THAT(book_->Covering(roof_), IsEmpty());
}

TEST_F(SilenceBookTest, RefusesWhatSaysNothingOrTooMuch) {
  Silence silence = OfInstance("roof-1");
  silence.id = "unknown";
  ExpectRefused(silence, ErrorCode::kNotFound, "unknown");
  ExpectRefused(OfInstance(".*"), ErrorCode::kInvalid, "empty value");
  ExpectRefused(OfInstance("("), ErrorCode::kInvalid, "instance");
  ExpectRefused(OfInstance("roof-1", 0, -1), ErrorCode::kInvalid, "end");
  ExpectRefused(OfInstance("roof-1", -2 * kHourMs, -kHourMs), ErrorCode::kInvalid, "end");
  silence = OfInstance("roof-1");
  silence.comment = std::string(kMaxSilenceTextBytes + 1, 'a');
  ExpectRefused(silence, ErrorCode::kInvalid, "bytes");
  silence.comment.clear();
  silence.matchers.clear();
  ExpectRefused(silence, ErrorCode::kInvalid, "matchers");
}

TEST_F(SilenceBookTest, SaysOnceThatOneEndedOrChanged) {
  EXPECT_TRUE(book_->TakeChanged()) << "one may have ended while nobody ran";
  EXPECT_FALSE(book_->TakeChanged());
  Set(OfInstance("roof-1"));
  const std::string other = Set(OfInstance("roof-2", 0, 2 * kHourMs));
  EXPECT_TRUE(book_->TakeChanged());
  clock_.Advance(1min);
  EXPECT_FALSE(book_->TakeChanged());
  clock_.Advance(1h);
  EXPECT_TRUE(book_->TakeChanged());
  clock_.Advance(1s);
  EXPECT_FALSE(book_->TakeChanged());
  ASSERT_TRUE(book_->Expire(other));
  EXPECT_TRUE(book_->TakeChanged());
  EXPECT_FALSE(book_->TakeChanged());
}

}  // namespace
}  // namespace atalaya::alertd
