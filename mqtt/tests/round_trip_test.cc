#include <gtest/gtest.h>

#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace atalaya::mqtt {
namespace {

constexpr Version kVersions[] = {Version::k31, Version::k311, Version::k5};

Frame Whole(const std::string& bytes) {
  Decoded<Frame> frame = NextFrame(bytes, kMaxPacketBytes);
  EXPECT_TRUE(frame) << FaultName(frame.error());
  EXPECT_EQ(frame->size, bytes.size());
  return *frame;
}

TEST(RoundTrip, ConnectKeepsEveryField) {
  for (const Version version : kVersions) {
    std::string properties;
    std::string will_properties;
    if (version == Version::k5) {
      PropertyWriter(&properties).Integer(Property::kSessionExpiry, 3600);
      PropertyWriter(&properties).Integer(Property::kReceiveMaximum, 7);
      PropertyWriter(&will_properties).Integer(Property::kWillDelay, 70'000);
      PropertyWriter(&will_properties).Text(Property::kContentType, "text/plain");
    }
    Connect sent;
    sent.version = version;
    sent.clean_start = false;
    sent.keep_alive_s = 258;
    sent.client_id = "box-7";
    sent.will = Will{"state/box-7", "gone", Qos::k1, true, Properties(will_properties)};
    sent.username = "user";
    sent.password = std::string_view("\0\1", 2);
    sent.properties = Properties(properties);
    std::string bytes;
    EncodeConnect(sent, &bytes);
    Decoded<Connect> got = DecodeConnect(Whole(bytes));
    ASSERT_TRUE(got) << FaultName(got.error());
    EXPECT_EQ(got->version, version);
    EXPECT_FALSE(got->clean_start);
    EXPECT_EQ(got->keep_alive_s, 258);
    EXPECT_EQ(got->client_id, "box-7");
    ASSERT_TRUE(got->will);
    EXPECT_EQ(got->will->topic, "state/box-7");
    EXPECT_EQ(got->will->payload, "gone");
    EXPECT_EQ(got->will->qos, Qos::k1);
    EXPECT_TRUE(got->will->retain);
    EXPECT_EQ(got->username, "user");
    EXPECT_EQ(got->password, sent.password);
    EXPECT_EQ(got->properties.wire(), properties);
    EXPECT_EQ(got->will->properties.wire(), will_properties);
  }
}

TEST(RoundTrip, PublishKeepsEveryFieldAndItsSizeIsForetold) {
  for (const Version version : kVersions) {
    for (const std::size_t length : {0u, 64u, 200u, 20'000u, 3'000'000u}) {
      for (const Qos qos : {Qos::k0, Qos::k1, Qos::k2}) {
        std::string properties;
        if (version == Version::k5) PropertyWriter(&properties).Pair("unit", "celsius");
        const std::string payload(length, '\x7F');
        Publish sent{"t/1",
                     payload,
                     static_cast<std::uint16_t>(qos == Qos::k0 ? 0 : 515),
                     qos,
                     true,
                     qos == Qos::k1,
                     Properties(properties)};
        std::string bytes;
        EncodePublish(sent, version, &bytes);
        EXPECT_EQ(bytes.size(), PublishBytes(sent, version));
        Decoded<Publish> got = DecodePublish(Whole(bytes), version);
        ASSERT_TRUE(got) << FaultName(got.error());
        EXPECT_EQ(got->topic, sent.topic);
        EXPECT_EQ(got->payload, sent.payload);
        EXPECT_EQ(got->packet_id, sent.packet_id);
        EXPECT_EQ(got->qos, sent.qos);
        EXPECT_EQ(got->retain, sent.retain);
        EXPECT_EQ(got->dup, sent.dup);
        EXPECT_EQ(got->properties.wire(), properties);
      }
    }
  }
}

TEST(RoundTrip, SubscribeAndItsAnswers) {
  for (const Version version : kVersions) {
    const bool v5 = version == Version::k5;
    Subscribe sent;
    sent.packet_id = 0x1234;
    sent.subscriptions = {{"a/+", Qos::k1, v5, v5, static_cast<std::uint8_t>(v5 ? 2 : 0)},
                          {"#", Qos::k2, false, false, 0}};
    std::string bytes;
    EncodeSubscribe(sent, version, &bytes);
    Decoded<Subscribe> got = DecodeSubscribe(Whole(bytes), version);
    ASSERT_TRUE(got) << FaultName(got.error());
    EXPECT_EQ(got->packet_id, 0x1234);
    ASSERT_EQ(got->subscriptions.size(), 2u);
    EXPECT_EQ(got->subscriptions[0].filter, "a/+");
    EXPECT_EQ(got->subscriptions[0].qos, Qos::k1);
    EXPECT_EQ(got->subscriptions[0].no_local, v5);
    EXPECT_EQ(got->subscriptions[0].retain_as_published, v5);
    EXPECT_EQ(got->subscriptions[0].retain_handling, v5 ? 2 : 0);
    EXPECT_EQ(got->subscriptions[1].qos, Qos::k2);

    bytes.clear();
    EncodeSuback({PacketType::kSuback, 0x1234, std::string_view("\1\2", 2), {}}, version, &bytes);
    Decoded<Suback> answer = DecodeSuback(Whole(bytes), version);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->codes, std::string_view("\1\2", 2));

    bytes.clear();
    EncodeUnsubscribe({9, {"a/+", "#"}, {}}, version, &bytes);
    Decoded<Unsubscribe> unsubscribe = DecodeUnsubscribe(Whole(bytes), version);
    ASSERT_TRUE(unsubscribe);
    EXPECT_EQ(unsubscribe->filters, (std::vector<std::string_view>{"a/+", "#"}));

    bytes.clear();
    EncodeSuback({PacketType::kUnsuback, 9, v5 ? std::string_view("\0\0", 2) : "", {}}, version,
                 &bytes);
    EXPECT_TRUE(DecodeSuback(Whole(bytes), version));
  }
}

TEST(RoundTrip, AcknowledgementsPingsAndFarewells) {
  for (const Version version : kVersions) {
    for (const PacketType type :
         {PacketType::kPuback, PacketType::kPubrec, PacketType::kPubrel, PacketType::kPubcomp}) {
      std::string bytes;
      EncodeAck({type, 65'535, Reason::kSuccess, {}}, version, &bytes);
      EXPECT_EQ(bytes.size(), 4u);
      Decoded<Ack> got = DecodeAck(Whole(bytes), version);
      ASSERT_TRUE(got);
      EXPECT_EQ(got->type, type);
      EXPECT_EQ(got->packet_id, 65'535);
    }
    std::string bytes;
    EncodePingreq(&bytes);
    EXPECT_TRUE(DecodePing(Whole(bytes)));
    bytes.clear();
    EncodeDisconnect({}, version, &bytes);
    EXPECT_EQ(bytes, std::string("\xE0\0", 2));
    EXPECT_TRUE(DecodeDisconnect(Whole(bytes), version));
    bytes.clear();
    EncodeConnack({true, 0, {}}, version, &bytes);
    Decoded<Connack> connack = DecodeConnack(Whole(bytes), version);
    ASSERT_TRUE(connack);
    EXPECT_TRUE(connack->session_present);
  }
}

TEST(RoundTrip, FiveZeroCarriesReasonsAndProperties) {
  std::string properties;
  PropertyWriter(&properties).Text(Property::kReasonString, "no room");
  std::string bytes;
  EncodeAck({PacketType::kPuback, 3, Reason::kQuotaExceeded, Properties(properties)}, Version::k5,
            &bytes);
  Decoded<Ack> ack = DecodeAck(Whole(bytes), Version::k5);
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->reason, Reason::kQuotaExceeded);
  EXPECT_EQ(ack->properties.Text(Property::kReasonString), "no room");

  bytes.clear();
  EncodeDisconnect({PacketType::kDisconnect, Reason::kServerShuttingDown, {}}, Version::k5, &bytes);
  EXPECT_EQ(bytes, std::string("\xE0\x01\x8B", 3));
  EXPECT_EQ(DecodeDisconnect(Whole(bytes), Version::k5)->reason, Reason::kServerShuttingDown);
}

TEST(Properties, AreWalkedInOrderAndFoundByName) {
  std::string wire;
  PropertyWriter writer(&wire);
  writer.Integer(Property::kMessageExpiry, 0x01020304);
  writer.Pair("a", "1");
  writer.Pair("a", "2");
  writer.Integer(Property::kSubscriptionId, 200);
  Properties properties(wire);
  EXPECT_EQ(properties.Integer(Property::kMessageExpiry), 0x01020304u);
  EXPECT_EQ(properties.Integer(Property::kSubscriptionId), 200u);
  EXPECT_FALSE(properties.Integer(Property::kTopicAlias));
  PropertyValue value;
  std::string walked;
  std::string raw;
  while (properties.Next(&value)) {
    if (value.id == Property::kUserProperty)
      walked += std::string(value.text) + std::string(value.value);
    raw += value.raw;
  }
  EXPECT_EQ(walked, "a1a2");
  EXPECT_EQ(raw, wire);
}

}  // namespace
}  // namespace atalaya::mqtt
