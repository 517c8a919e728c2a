#include "cloud_server/durable_state.h"

#include <gtest/gtest.h>

#include <vector>

namespace atalaya::cloud_server {
namespace {

constexpr std::int64_t kNowMs = 1'700'000'000'000;
constexpr std::int64_t kNowNs = 5'000'000'000;

template <typename Record>
std::string Bytes(const Record& record) {
  std::string out;
  WriteRecord(record, &out);
  return out;
}

MessageFields Text(std::string_view topic, std::string_view payload, std::uint8_t flags = 1) {
  MessageFields fields;
  fields.topic = topic;
  fields.payload = payload;
  fields.flags = flags;
  return fields;
}

Published To(std::uint64_t session, std::uint64_t message, std::string_view payload,
             std::uint8_t qos = 1) {
  Published record;
  record.message = message;
  record.fields = Text("t", payload, qos);
  record.targets.push_back({session, qos, {}});
  return record;
}

SessionOpened Open(std::uint64_t session, std::string_view client_id) {
  SessionOpened record;
  record.session = session;
  record.client_id = client_id;
  record.expiry_s = 100;
  return record;
}

class DurableStateTest : public testing::Test {
 protected:
  template <typename... Records>
  void Apply(const Records&... records) {
    (state_.Apply(Bytes(records)), ...);
  }
  SavedSession& session(std::uint64_t id) { return state_.sessions().at(id); }
  // "payload" of each, with its packet id where it has one and "!" where the client may have it.
  std::string Deliveries(std::uint64_t id) {
    std::string text;
    for (const SavedDelivery& delivery : session(id).deliveries) {
      if (!text.empty()) text += ' ';
      text += delivery.released ? "released" : std::string(delivery.message->payload());
      if (delivery.packet_id != 0) text += '#' + std::to_string(delivery.packet_id);
      if (delivery.maybe_sent) text += '!';
    }
    return text;
  }

  DurableState state_{{kNowMs, kNowNs}};
};

TEST(DurableRecord, ReadsWhatWasWritten) {
  const std::string payload(200, 'x');
  Published record = To(300, 1u << 20, payload, 2);
  record.fields.properties = "\x26";
  record.fields.expires_ms = UINT64_MAX;
  record.from = 7;
  record.incoming_id = UINT16_MAX;
  record.targets.push_back({8, 5, {1, 268'435'455}});
  const std::string bytes = Bytes(record);
  EXPECT_EQ(static_cast<RecordKind>(bytes.front()), RecordKind::kPublished);
  Published read;
  ASSERT_TRUE(ReadFields(std::string_view(bytes).substr(1), &read));
  EXPECT_EQ(Bytes(read), bytes);
  EXPECT_EQ(read.fields.expires_ms, UINT64_MAX);
  EXPECT_EQ(read.incoming_id, UINT16_MAX);
  EXPECT_EQ(read.targets.at(1).subscription_ids, (std::vector<std::uint32_t>{1, 268'435'455}));
}

TEST(DurableRecord, RefusesEveryTruncation) {
  SessionImage image;
  image.opened = Open(1, "box-7");
  image.opened.will.push_back(Text("will", "gone"));
  image.subscriptions.push_back({"a/#", 2, 9});
  image.incoming = {1, 65'535};
  image.deliveries.push_back({5, 2, 300, {1, 2}});
  const std::string bytes = Bytes(image);
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    SessionImage read;
    EXPECT_FALSE(ReadFields(std::string_view(bytes).substr(1, length - 1), &read)) << length;
  }
}

TEST(DurableRecord, RefusesNumbersThatAreTooLarge) {
  Removed wide{UINT64_MAX, 65'536};
  Completed narrow;
  EXPECT_FALSE(ReadFields(std::string_view(Bytes(wide)).substr(1), &narrow));
  Removed read;
  EXPECT_FALSE(ReadFields(std::string(11, '\xFF'), &read));
  std::vector<std::uint16_t> many;
  RecordReader reader("\xFF\xFF\xFF\xFF\x0F");  // More of them than there are bytes.
  reader(many);
  EXPECT_FALSE(reader.ok());
}

TEST_F(DurableStateTest, PassesOverWhatItCannotReadAndCountsIt) {
  state_.Apply("\x7F");
  state_.Apply(std::string_view(Bytes(Open(1, "a"))).substr(0, 3));
  EXPECT_EQ(state_.unreadable(), 2u);
  Apply(Completed{5, 1}, Removed{6, 2}, Sent{7, 3, 1},
        Released{8, 1});  // Of sessions that were lost.
  EXPECT_EQ(state_.unreadable(), 2u);
  EXPECT_FALSE(session(5).known);
}

TEST_F(DurableStateTest, KeepsMessagesUntilTheyAreAcknowledgedOrRemoved) {
  Apply(Open(1, "a"), SessionClosed{1, 100, kNowMs, 0});
  Apply(To(1, 10, "a"), To(1, 11, "b", 2), To(1, 12, "c", 2));
  EXPECT_EQ(Deliveries(1), "a b c");
  Apply(Open(1, "a"), Sent{1, 11, 1}, Sent{1, 12, 2});
  EXPECT_EQ(Deliveries(1), "a! b#1! c#2!");
  Apply(Removed{1, 10}, Released{1, 1});
  EXPECT_EQ(Deliveries(1), "released#1! c#2!");
  Apply(Completed{1, 1});
  EXPECT_EQ(Deliveries(1), "c#2!");
  EXPECT_EQ(state_.next_id(), 13u);
}

TEST_F(DurableStateTest, TheSameMessageTwiceIsTwoDeliveries) {
  Apply(Open(1, "a"));
  Published twice = To(1, 10, "a", 2);
  twice.targets.push_back(twice.targets.front());
  Apply(twice, Sent{1, 10, 4}, Sent{1, 10, 5});
  EXPECT_EQ(Deliveries(1), "a#4! a#5!");
  Apply(Completed{1, 4});
  EXPECT_EQ(Deliveries(1), "a#5!");
}

TEST_F(DurableStateTest, TheSameMessageAtTwoQosIsNotMistaken) {
  Apply(Open(1, "a"));
  Published both = To(1, 10, "a", 2);
  both.targets.push_back({1, 1, {}});
  both.targets.push_back({1, 1, {}});
  Apply(both, Sent{1, 10, 4}, Removed{1, 10});
  EXPECT_EQ(Deliveries(1), "a#4! a!");
  Apply(Sent{1, 10, 6}, Completed{1, 4});
  EXPECT_EQ(Deliveries(1), "a!");
}

TEST_F(DurableStateTest, KnowsTheIncomingIdsOfQos2) {
  Apply(Open(1, "a"));
  Published record = To(2, 10, "a", 2);
  record.from = 1;
  record.incoming_id = 9;
  Apply(record, IncomingBegan{1, 10});
  EXPECT_EQ(session(1).incoming, (std::set<std::uint16_t>{9, 10}));
  Apply(IncomingEnded{1, 9});
  EXPECT_EQ(session(1).incoming, (std::set<std::uint16_t>{10}));
}

TEST_F(DurableStateTest, AMessageThatIsPassedOnIsOneSessionsOnly) {
  Apply(Open(1, "a"), Open(2, "b"), To(1, 10, "x"));
  Published on = To(2, 11, "x");
  on.taken_from = 1;
  on.taken_message = 10;
  Apply(on);
  EXPECT_EQ(Deliveries(1), "");
  EXPECT_EQ(Deliveries(2), "x!");
}

TEST_F(DurableStateTest, SubscriptionsAreTheLastOnesSaid) {
  Apply(Open(1, "a"), Subscribed{1, {{"x", 1, 0}, {"y", 2, 3}}}, Subscribed{1, {{"x", 2, 7}}},
        Unsubscribed{1, {"y", "never"}});
  ASSERT_EQ(session(1).subscriptions.size(), 1u);
  EXPECT_EQ(session(1).subscriptions.at("x").options, 2);
  EXPECT_EQ(session(1).subscriptions.at("x").id, 7u);
  Apply(SessionEnded{1});
  EXPECT_TRUE(state_.sessions().empty());
}

TEST_F(DurableStateTest, TheNewestRetainedMessageWinsWhateverItsPlace) {
  const auto retain = [&](std::uint64_t order, std::string_view payload) {
    Published record;
    record.message = 10 + order;
    record.fields = Text("r", payload);
    record.retained_order = order;
    Apply(record);
  };
  retain(2, "newer");
  retain(1, "older");
  EXPECT_EQ(state_.retained().at("r").message->payload(), "newer");
  retain(3, "");
  Apply(RetainedImage{2, Text("r", "newer")});
  EXPECT_FALSE(state_.retained().at("r").message);
  EXPECT_EQ(state_.next_retained_order(), 4u);
}

TEST_F(DurableStateTest, AWillIsThereUntilItIsPublishedOrWithdrawn) {
  SessionOpened open = Open(1, "a");
  open.will.push_back(Text("w", "gone"));
  Apply(open);
  EXPECT_EQ(session(1).will->payload(), "gone");
  Apply(SessionClosed{1, 100, kNowMs, kNowMs + 5});
  EXPECT_EQ(session(1).will->payload(), "gone");
  Published will;
  will.message = 9;
  will.fields = Text("w", "gone");
  will.from = 1;
  will.is_will = 1;
  Apply(will);
  EXPECT_FALSE(session(1).will);
  Apply(open, SessionClosed{1, 100, kNowMs, 0});
  EXPECT_FALSE(session(1).will);
}

TEST_F(DurableStateTest, AnImageStandsInPlaceOfAllBefore) {
  Apply(Open(1, "a"), Subscribed{1, {{"old", 1, 0}}}, To(1, 10, "kept"),
        To(1, 11, "unknown to the image"));
  SessionImage image;
  image.opened = Open(1, "a");
  image.closed = {1, 100, kNowMs, 0};
  image.subscriptions = {{"new", 1, 0}};
  image.deliveries = {{20, 2 | DeliveryFields::kReleasedBit | DeliveryFields::kMaybeSentBit, 6, {}},
                      {21, 2, 0, {}},
                      {10, 1, 0, {}},
                      {22, 1, 0, {}}};
  Apply(CompactionBegan{30}, Body{21, Text("t", "from its body", 2)}, image, CompactionEnded{40});
  // Of 22 nothing is known any more; 11 was on its way from another loop.
  EXPECT_EQ(Deliveries(1), "released#6! from its body kept unknown to the image!");
  EXPECT_FALSE(session(1).connected);
  EXPECT_EQ(session(1).subscriptions.count("old"), 0u);
  EXPECT_EQ(session(1).subscriptions.count("new"), 1u);
  EXPECT_EQ(state_.next_id(), 40u);
}

TEST_F(DurableStateTest, TimesAreThoseOfTheSteadyClock) {
  const ClockPair& clocks = state_.clocks();
  EXPECT_EQ(clocks.ToSteady(0), 0);
  EXPECT_EQ(clocks.ToSteady(kNowMs + 1000), kNowNs + 1'000'000'000);
  EXPECT_EQ(clocks.ToSteady(1), 1);  // Long past, and not never.
  EXPECT_GT(clocks.ToSteady(UINT64_MAX), kNowNs);
  EXPECT_EQ(clocks.ToUtc(0), 0u);
  EXPECT_EQ(clocks.ToUtc(kNowNs + 2'000'000), static_cast<std::uint64_t>(kNowMs) + 2);
  Apply(ClockRecord{50}, ClockRecord{40});
  EXPECT_EQ(state_.last_alive_ms(), 50u);
}

}  // namespace
}  // namespace atalaya::cloud_server
