#include "stress/ws_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::stress {
namespace {

using Outcome = Transport::Outcome;

constexpr char kAnswer[] =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

// What the server sent and takes, in pieces of `step` bytes.
struct Wire {
  std::string in, out;
  std::size_t step = 1'000;
  std::size_t room = 1'000'000;
};

class WireTransport : public Transport {
 public:
  explicit WireTransport(Wire* wire) : wire_(wire) {}
  Outcome Open(int) override { return Outcome::kDone; }
  Outcome Read(int, std::span<char> into, std::size_t* got) override {
    if (wire_->in.empty()) return Outcome::kBlocked;
    *got = std::min({into.size(), wire_->in.size(), wire_->step});
    wire_->in.copy(into.data(), *got);
    wire_->in.erase(0, *got);
    return Outcome::kDone;
  }
  Outcome Write(int, std::string_view bytes, std::size_t* taken) override {
    *taken = std::min({bytes.size(), wire_->step, wire_->room});
    if (*taken == 0) return Outcome::kBlocked;
    wire_->room -= *taken;
    wire_->out.append(bytes.substr(0, *taken));
    return Outcome::kDone;
  }
  std::string error() const override { return "wire"; }

 private:
  Wire* wire_;
};

struct Client {
  Wire wire;
  WsTransport transport{std::make_unique<WireTransport>(&wire), Target{}};

  void Open() {
    wire.in = kAnswer;
    ASSERT_EQ(transport.Open(0), Outcome::kDone);
    wire.out.clear();
  }
  // All that can be read now.
  std::string ReadAll(Outcome* end) {
    std::string all;
    while (true) {
      char bytes[4096];
      std::size_t got = 0;
      *end = transport.Read(0, bytes, &got);
      if (*end != Outcome::kDone) return all;
      all.append(bytes, got);
    }
  }
};

std::string Header(std::size_t size) {
  std::string header("\x82");
  if (size < 126) {
    header += static_cast<char>(size);
  } else {
    header += '\x7e';
    header += static_cast<char>(size >> 8);
    header += static_cast<char>(size & 0xff);
  }
  return header;
}

TEST(WsTransport, AsksForAWebSocketAndKnowsItsAnswer) {
  Client client;
  EXPECT_EQ(client.transport.Open(0), Outcome::kBlocked);
  EXPECT_THAT(client.wire.out,
              testing::StartsWith("GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1:1883\r\n"));
  EXPECT_THAT(client.wire.out, testing::HasSubstr("Sec-WebSocket-Protocol: mqtt\r\n"));
  client.wire.in = "HTTP/1.1 403 Forbidden\r\n\r\n";
  EXPECT_EQ(client.transport.Open(0), Outcome::kFailed);
  EXPECT_EQ(client.transport.error(), "no WebSocket: HTTP/1.1 403 Forbidden");
}

TEST(WsTransport, TakesFramesApartWhateverPiecesTheyComeIn) {
  for (const std::size_t step : {1u, 2u, 7u, 1000u}) {
    Client client;
    client.Open();
    client.wire.step = step;
    const std::string longer(300, 'x');
    client.wire.in = Header(3) + "abc" + Header(0) + Header(longer.size()) + longer;
    Outcome end;
    EXPECT_EQ(client.ReadAll(&end), "abc" + longer);
    EXPECT_EQ(end, Outcome::kBlocked);
  }
}

TEST(WsTransport, MasksAndFramesEachWriteWhateverTheSocketTakes) {
  Client client;
  client.Open();
  client.wire.step = 2;
  client.wire.room = 9;  // The header's six bytes and three more.
  std::string rest = "hello";
  std::size_t taken = 0;
  while (client.transport.Write(0, rest, &taken) == Outcome::kDone) rest.erase(0, taken);
  client.wire.room = 1'000;
  client.wire.in = std::string("\x89\x02hi", 4);  // A ping waits for the end of the frame.
  Outcome end;
  client.ReadAll(&end);
  while (!rest.empty() && client.transport.Write(0, rest, &taken) == Outcome::kDone) {
    rest.erase(0, taken);
  }
  ASSERT_EQ(client.transport.Write(0, "!", &taken), Outcome::kDone);
  const std::string wanted = std::string("\x82\x85\0\0\0\0hello", 11) +
                             std::string("\x8a\x82\0\0\0\0hi", 8) +
                             std::string("\x82\x81\0\0\0\0!", 7);
  EXPECT_EQ(client.wire.out, wanted);
}

TEST(WsTransport, EndsWithACloseAndAtAFrameThatNoServerSends) {
  const std::pair<std::string, Outcome> kCases[] = {
      {std::string("\x88\x02\x03\xe8", 4), Outcome::kClosed},
      {std::string("\x82\x81\0\0\0\0x", 7), Outcome::kFailed},  // Masked.
      {std::string("\x81\x01x", 3), Outcome::kFailed},          // Text.
      {std::string("\xc2\x01x", 3), Outcome::kFailed}};         // An extension.
  for (const auto& [bytes, outcome] : kCases) {
    Client client;
    client.Open();
    client.wire.in = Header(2) + "ok" + bytes;
    Outcome end;
    EXPECT_EQ(client.ReadAll(&end), "ok");
    EXPECT_EQ(end, outcome);
  }
}

}  // namespace
}  // namespace atalaya::stress
