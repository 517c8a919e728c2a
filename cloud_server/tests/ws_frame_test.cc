#include "cloud_server/ws_frame.h"

#include <gtest/gtest.h>

#include "cloud_server/tests/ws_client.h"

namespace atalaya::cloud_server {
namespace {

// What a decoder makes of `bytes` that come one at a time, and all at once, which must be the same.
struct Decoded {
  explicit Decoded(const std::string& bytes) {
    std::string whole = bytes;
    payload = whole.substr(0, decoder.Decode(whole));
    WsDecoder slow;
    std::string pieces;
    for (char byte : bytes) {
      if (slow.Decode({&byte, 1}) == 1) pieces += byte;
    }
    EXPECT_EQ(pieces, payload);
    EXPECT_EQ(slow.ended(), decoder.ended());
    EXPECT_EQ(slow.close_code(), decoder.close_code());
  }

  bool FailedWith(WsClose code) const { return decoder.failed() && decoder.close_code() == code; }
  bool ClosedWith(WsClose code) const {
    return decoder.ended() && !decoder.failed() && decoder.close_code() == code;
  }

  WsDecoder decoder;
  std::string payload;
};

std::string CloseFrame(unsigned code, std::string_view reason = "") {
  std::string payload = {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload += reason;
  return ClientFrame(WsOpcode::kClose, payload);
}

TEST(WsDecoder, JoinsFramesOfEveryLength) {
  std::string bytes;
  std::string expected;
  for (const std::size_t size : {0u, 1u, 7u, 8u, 125u, 126u, 65'535u, 65'536u}) {
    std::string payload(size, '\0');
    for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<char>(i * 31 + size);
    bytes += ClientFrame(WsOpcode::kBinary, payload);
    expected += payload;
  }
  const Decoded decoded(bytes);
  EXPECT_EQ(decoded.payload, expected);
  EXPECT_FALSE(decoded.decoder.ended());
}

TEST(WsDecoder, TakesFragmentsWithControlFramesBetween) {
  Decoded decoded(
      ClientFrame(WsOpcode::kBinary, "one ", false) + ClientFrame(WsOpcode::kPing, "first") +
      ClientFrame(WsOpcode::kPing, "second") + ClientFrame(WsOpcode::kContinuation, "two ", false) +
      ClientFrame(WsOpcode::kPong, "whatever") + ClientFrame(WsOpcode::kContinuation, "three"));
  EXPECT_EQ(decoded.payload, "one two three");
  EXPECT_EQ(decoded.decoder.TakePing(), "second") << "the last one is answered";
  EXPECT_EQ(decoded.decoder.TakePing(), std::nullopt);
}

TEST(WsDecoder, EndsAtAFrameThatBreaksTheProtocol) {
  const std::string good = ClientFrame(WsOpcode::kBinary, "good");
  const struct {
    const char* what;
    std::string bytes;
    WsClose code;
  } cases[] = {
      {"not masked", std::string("\x82\x03no", 4), WsClose::kProtocolError},
      {"not masked and empty", std::string("\x82\x00", 2), WsClose::kProtocolError},
      {"reserved bit", "\xc2\x81" + std::string(5, 'x'), WsClose::kProtocolError},
      {"unknown opcode", "\x83\x81" + std::string(5, 'x'), WsClose::kProtocolError},
      {"unknown control", "\x8b\x81" + std::string(5, 'x'), WsClose::kProtocolError},
      {"text", ClientFrame(WsOpcode::kText, "words"), WsClose::kUnsupportedData},
      {"nothing to continue", ClientFrame(WsOpcode::kContinuation, "x"), WsClose::kProtocolError},
      {"message in a message",
       ClientFrame(WsOpcode::kBinary, "", false) + ClientFrame(WsOpcode::kBinary, "x"),
       WsClose::kProtocolError},
      {"fragmented ping", ClientFrame(WsOpcode::kPing, "x", false), WsClose::kProtocolError},
      {"long ping", ClientFrame(WsOpcode::kPing, std::string(126, 'x')), WsClose::kProtocolError},
      {"length in too many bytes", std::string("\x82\xfe\x00\x7d", 4) + "mask",
       WsClose::kProtocolError},
      {"length in far too many bytes", std::string("\x82\xff\0\0\0\0\0\0\xff\xff", 10) + "mask",
       WsClose::kProtocolError},
      {"length with its first bit", "\x82\xff\x80" + std::string(7, '\0') + "mask",
       WsClose::kProtocolError},
      {"half a close code", ClientFrame(WsOpcode::kClose, "x"), WsClose::kProtocolError},
      {"a close code for nobody", CloseFrame(1005), WsClose::kProtocolError},
      {"a close code out of range", CloseFrame(999), WsClose::kProtocolError},
      {"a reason that is no UTF-8", CloseFrame(1000, "\xff"), WsClose::kInvalidPayload},
  };
  for (const auto& one : cases) {
    const Decoded decoded(good + one.bytes + good);
    EXPECT_EQ(decoded.payload, "good") << one.what << ": nothing after it counts";
    EXPECT_TRUE(decoded.FailedWith(one.code)) << one.what;
  }
}

TEST(WsDecoder, EndsWhereTheClientCloses) {
  const Decoded empty(ClientFrame(WsOpcode::kClose, "") + ClientFrame(WsOpcode::kBinary, "late"));
  EXPECT_TRUE(empty.ClosedWith(WsClose::kNormal));
  EXPECT_EQ(empty.payload, "");
  EXPECT_TRUE(Decoded(CloseFrame(1001, "good bye")).ClosedWith(WsClose::kGoingAway));
  EXPECT_TRUE(Decoded(CloseFrame(4999)).ClosedWith(static_cast<WsClose>(4999)));
}

TEST(WsDecoder, TakesNoMemoryForALongFrame) {
  std::string bytes("\x82\xff\x00\x00\x7f\x00\x00\x00\x00\x00\0\0\0\0", 14);
  bytes += std::string(1000, 'x');
  EXPECT_EQ(Decoded(bytes).payload, std::string(1000, 'x'));
}

TEST(WsEncoder, WritesTheShortestLength) {
  char header[10];
  EXPECT_EQ(EncodeWsHeader(WsOpcode::kBinary, 125, header), 2u);
  EXPECT_EQ(std::string(header, 2), "\x82\x7d");
  EXPECT_EQ(EncodeWsHeader(WsOpcode::kBinary, 126, header), 4u);
  EXPECT_EQ(std::string(header, 4), std::string("\x82\x7e\x00\x7e", 4));
  EXPECT_EQ(EncodeWsHeader(WsOpcode::kBinary, 65'536, header), 10u);
  EXPECT_EQ(std::string(header, 10), std::string("\x82\x7f\0\0\0\0\0\x01\0\0", 10));
  EXPECT_EQ(EncodeWsClose(WsClose::kTooBig), std::string("\x88\x02\x03\xf1", 4));
}

}  // namespace
}  // namespace atalaya::cloud_server
