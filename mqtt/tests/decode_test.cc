#include "mqtt/decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace atalaya::mqtt {
namespace {

// "20 02 0000" as bytes.
std::string Hex(std::string_view text) {
  std::string bytes;
  std::string digits;
  for (const char c : text) {
    if (c == ' ') continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes.push_back(static_cast<char>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return bytes;
}

// The fault that decoding `bytes` as one packet ends with, by name; "ok" without one.
std::string Outcome(const std::string& bytes, Version version) {
  Decoded<Frame> frame = NextFrame(bytes, kMaxPacketBytes);
  if (!frame) return std::string(FaultName(frame.error()));
  if (frame->size == 0) return "needs more";
  const auto name = [](const auto& decoded) {
    return decoded ? std::string("ok") : std::string(FaultName(decoded.error()));
  };
  switch (frame->type) {
    case PacketType::kConnect:
      return name(DecodeConnect(*frame));
    case PacketType::kConnack:
      return name(DecodeConnack(*frame, version));
    case PacketType::kPublish:
      return name(DecodePublish(*frame, version));
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      return name(DecodeAck(*frame, version));
    case PacketType::kSubscribe:
      return name(DecodeSubscribe(*frame, version));
    case PacketType::kSuback:
    case PacketType::kUnsuback:
      return name(DecodeSuback(*frame, version));
    case PacketType::kUnsubscribe:
      return name(DecodeUnsubscribe(*frame, version));
    case PacketType::kPingreq:
    case PacketType::kPingresp:
      return name(DecodePing(*frame));
    case PacketType::kDisconnect:
    case PacketType::kAuth:
      return name(DecodeDisconnect(*frame, version));
  }
  return "no such type";
}

struct Case {
  const char* hex;
  Version version;
  const char* outcome;
};

class DecodeCases : public testing::TestWithParam<Case> {};

TEST_P(DecodeCases, EndsAsNamed) {
  EXPECT_EQ(Outcome(Hex(GetParam().hex), GetParam().version), GetParam().outcome) << GetParam().hex;
}

constexpr Version k4 = Version::k311;
constexpr Version k5 = Version::k5;

INSTANTIATE_TEST_SUITE_P(
    All, DecodeCases,
    testing::Values(
        Case{"00 00", k4, "bad_packet_type"}, Case{"10 FFFFFFFF7F", k4, "bad_length"},
        Case{"10 8000", k4, "bad_length"}, Case{"30 FF", k4, "needs more"},
        Case{"10 0D 0004 4D515454 04 02 000A 0001 70", k4, "ok"},
        Case{"11 0D 0004 4D515454 04 02 000A 0001 70", k4, "bad_flags"},
        Case{"14 0F 0006 4D5149736470 03 01 000A 0001 70", k4, "ok"},
        Case{"10 0E 0006 4D5149736470 03 02 000A 0000", k4, "bad_client_id"},
        Case{"10 0D 0004 4D515455 04 02 000A 0001 70", k4, "bad_protocol_name"},
        Case{"10 0D 0004 4D515454 06 02 000A 0001 70", k4, "bad_protocol_version"},
        Case{"10 0D 0004 4D515454 04 01 000A 0001 70", k4, "bad_connect_flags"},
        Case{"10 0D 0004 4D515454 04 0A 000A 0001 70", k4, "bad_connect_flags"},
        Case{"10 10 0004 4D515454 04 42 000A 0001 70 0001 70", k4, "bad_connect_flags"},
        Case{"10 13 0004 4D515454 04 1E 000A 0001 70 0001 70 0001 70", k4, "bad_connect_flags"},
        Case{"10 0C 0004 4D515454 04 00 000A 0000", k4, "bad_client_id"},
        Case{"10 0C 0004 4D515454 04 02 000A 0000", k4, "ok"},
        Case{"10 0A 0004 4D515454 04 02 000A", k4, "truncated"},
        Case{"10 10 0004 4D515454 04 02 000A 0001 70 0001 70", k4, "trailing_bytes"},
        Case{"10 13 0004 4D515454 04 06 000A 0001 70 0001 2B 0001 70", k4, "bad_topic_name"},
        Case{"10 11 0004 4D515454 04 02 000A 0005 746F700000", k4, "bad_utf8"},
        Case{"10 0E 0004 4D515454 05 02 000A 00 0001 70", k4, "ok"},
        Case{"10 13 0004 4D515454 05 02 000A 05 2700000000 0001 70", k4, "bad_property_value"},
        Case{"10 12 0004 4D515454 05 02 000A 04 16000178 0001 70", k5, "misplaced_property"},
        Case{"10 16 0004 4D515454 05 02 000A 08 15000178 16000178 0001 70", k5, "ok"},
        Case{"20 02 02 00", k4, "bad_flags"}, Case{"20 02 00 06", k4, "bad_reason_code"},
        Case{"36 06 0001 70 0001 70", k4, "bad_qos"}, Case{"38 04 0001 70 70", k4, "bad_qos"},
        Case{"32 05 0001 70 0000", k4, "bad_packet_id"}, Case{"30 02 0000", k4, "bad_topic_name"},
        Case{"30 03 0001 23", k4, "bad_topic_name"}, Case{"30 03 0002 70", k4, "truncated"},
        Case{"30 04 0001 70 00", k5, "ok"}, Case{"30 06 0000 03 230001", k5, "ok"},
        Case{"30 03 0000 00", k5, "no_topic"}, Case{"30 07 0001 70 03 110000", k5, "truncated"},
        Case{"30 09 0001 70 05 1100000001", k5, "misplaced_property"},
        Case{"30 06 0001 70 02 0102", k5, "bad_property_value"},
        Case{"30 08 0001 70 04 0101 0101", k5, "repeated_property"},
        Case{"30 05 0001 70 01 7F", k5, "unknown_property"},
        Case{"30 05 0001 70 02 01", k5, "truncated"}, Case{"40 02 0000", k4, "bad_packet_id"},
        Case{"40 03 0001 00", k4, "trailing_bytes"}, Case{"40 03 0001 00", k5, "ok"},
        Case{"40 03 0001 01", k5, "bad_reason_code"}, Case{"60 02 0001", k4, "bad_flags"},
        Case{"62 02 0001", k4, "ok"}, Case{"82 06 1234 0001 70 03", k4, "bad_qos"},
        Case{"82 06 1234 0001 70 04", k4, "bad_subscribe_options"},
        Case{"82 02 1234", k4, "no_filters"}, Case{"82 05 1234 0000 00", k4, "bad_topic_filter"},
        Case{"80 06 1234 0001 70 00", k4, "bad_flags"},
        Case{"82 07 1234 00 0001 70 30", k5, "bad_subscribe_options"},
        Case{"A2 02 1234", k4, "no_filters"}, Case{"A2 05 1234 0001 70", k4, "ok"},
        Case{"C0 01 00", k4, "trailing_bytes"}, Case{"C1 00", k4, "bad_flags"},
        Case{"E0 01 00", k4, "trailing_bytes"}, Case{"E0 01 01", k5, "bad_reason_code"},
        Case{"F0 00", k4, "bad_packet_type"}, Case{"F0 00", k5, "ok"}));

TEST(NextFrame, AsksForMoreUntilThePacketIsWhole) {
  const std::string packet = Hex("30 8101 0001 70") + std::string(126, 'x');
  const std::string two = packet + packet;
  for (std::size_t have = 0; have < packet.size(); ++have) {
    Decoded<Frame> frame = NextFrame(std::string_view(packet).substr(0, have), kMaxPacketBytes);
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->size, 0u);
  }
  Decoded<Frame> frame = NextFrame(two, kMaxPacketBytes);
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->size, packet.size());
  EXPECT_EQ(frame->body.size(), 129u);
}

TEST(NextFrame, RefusesAPacketOverTheLimitBeforeItIsWhole) {
  EXPECT_EQ(NextFrame(Hex("30 FF7F"), 1024).error(), Fault::kPacketTooLarge);
  EXPECT_TRUE(NextFrame(Hex("30 FE7F"), 128 * 128 + 1));
}

TEST(Decode, PointsIntoTheBuffer) {
  const std::string bytes = Hex("30 05 0001 70 7879");
  Decoded<Publish> packet = DecodePublish(*NextFrame(bytes, kMaxPacketBytes), k4);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->topic.data(), bytes.data() + 4);
  EXPECT_EQ(packet->payload.data(), bytes.data() + 5);
}

TEST(Fault, HasANameOfItsOwn) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < kFaultCount; ++i) names.push_back(FaultName(static_cast<Fault>(i)));
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
  EXPECT_EQ(std::count(names.begin(), names.end(), "unknown"), 0);
}

}  // namespace
}  // namespace atalaya::mqtt
