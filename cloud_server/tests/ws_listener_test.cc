#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>

#include "cloud_server/tests/server_bench.h"
#include "cloud_server/tests/ws_client.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;
using testing::StartsWith;

constexpr std::string_view kWsPingreq("\xc0\x00", 2);

class WsListener : public ServerBench {
 protected:
  void SetUp() override { StartFrom("[[listener]]\naddress = \"[::1]:0\"\nprotocol = \"ws\"\n"); }

  // Everything that comes until `enough` says so of it, or the server closes.
  template <typename Enough>
  static std::string ReceiveUntil(TestClient& client, const Enough& enough) {
    std::string received;
    while (!enough(received)) {
      pollfd waited{client.fd(), POLLIN, 0};
      if (poll(&waited, 1, 20'000) != 1) {
        ADD_FAILURE() << "nothing more came";
        break;
      }
      char bytes[65'536];
      const ssize_t got = recv(client.fd(), bytes, sizeof bytes, 0);
      if (got <= 0) break;
      received.append(bytes, static_cast<std::size_t>(got));
    }
    return received;
  }
  static std::string ReceiveToEnd(TestClient& client) {
    return ReceiveUntil(client, [](const std::string&) { return false; });
  }

  // Payloads of binary messages, joined, until they have `size` bytes.
  static std::string ReceivePackets(TestClient& client, std::size_t size) {
    std::string packets;
    std::string rest;
    while (packets.size() < size) {
      rest += ReceiveUntil(client, [](const std::string& bytes) { return !bytes.empty(); });
      ServerFrame frame = TakeServerFrame(&rest);
      if (!frame.opcode && rest.empty()) break;
      for (; frame.opcode; frame = TakeServerFrame(&rest)) {
        EXPECT_EQ(*frame.opcode, WsOpcode::kBinary);
        packets += frame.payload;
      }
    }
    return packets;
  }

  static std::string ConnectPacket(std::string_view client_id) {
    mqtt::Connect packet;
    packet.client_id = client_id;
    packet.clean_start = true;
    std::string bytes;
    mqtt::EncodeConnect(packet, &bytes);
    return bytes;
  }

  static void Upgrade(TestClient& client) {
    client.Send(UpgradeRequest());
    const std::string reply =
        ReceiveUntil(client, [](const std::string& bytes) { return bytes.ends_with("\r\n\r\n"); });
    EXPECT_THAT(reply, StartsWith("HTTP/1.1 101 "));
  }
  static void Connect(TestClient& client, std::string_view id) {
    Upgrade(client);
    client.Send(ClientFrame(WsOpcode::kBinary, ConnectPacket(id)));
    EXPECT_EQ(ReceivePackets(client, 4), std::string("\x20\x02\x00\x00", 4));
  }
  // The code of the close frame that ends what the server sends; 0 where there is none.
  static unsigned CloseCode(TestClient& client) {
    std::string bytes = ReceiveToEnd(client);
    ServerFrame last;
    for (ServerFrame frame = TakeServerFrame(&bytes); frame.opcode;
         frame = TakeServerFrame(&bytes)) {
      last = frame;
    }
    if (last.opcode != WsOpcode::kClose || last.payload.size() != 2) return 0;
    return static_cast<unsigned>(static_cast<unsigned char>(last.payload[0]) << 8 |
                                 static_cast<unsigned char>(last.payload[1]));
  }
};

TEST_F(WsListener, ServesClientsOfEveryLoop) {
  for (int i = 0; i < 8; ++i) {
    TestClient client(address());
    Upgrade(client);
    // One packet over two frames, two packets in one, a packet and a half.
    const std::string connect = ConnectPacket(fmt::format("client-{}", i));
    client.Send(
        ClientFrame(WsOpcode::kBinary, connect.substr(0, 3)) +
        ClientFrame(WsOpcode::kBinary, connect.substr(3) + std::string(kWsPingreq) + "\xc0") +
        ClientFrame(WsOpcode::kBinary, std::string_view("\x00", 1)));
    EXPECT_EQ(ReceivePackets(client, 8), std::string("\x20\x02\x00\x00\xd0\x00\xd0\x00", 8));
  }
}

TEST_F(WsListener, TakesFramesThatComeWithTheRequest) {
  TestClient client(address());
  client.Send(UpgradeRequest() + ClientFrame(WsOpcode::kBinary, ConnectPacket("eager")));
  const std::string connack("\x82\x04\x20\x02\x00\x00", 6);
  const std::string reply =
      ReceiveUntil(client, [&](const std::string& bytes) { return bytes.ends_with(connack); });
  EXPECT_THAT(reply, StartsWith("HTTP/1.1 101 "));
}

TEST_F(WsListener, CarriesLargePacketsBothWays) {
  TestClient client(address());
  Connect(client, "large");
  std::string subscribe;
  mqtt::Subscribe wanted;
  wanted.packet_id = 1;
  wanted.subscriptions.push_back({"large", mqtt::Qos::k0, false, false, 0});
  mqtt::EncodeSubscribe(wanted, mqtt::Version::k311, &subscribe);
  client.Send(ClientFrame(WsOpcode::kBinary, subscribe));
  ASSERT_EQ(ReceivePackets(client, 5).size(), 5u);
  std::string payload(3'000'000, '\0');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 13 / 5);
  mqtt::Publish publish;
  publish.topic = "large";
  publish.payload = payload;
  std::string bytes;
  mqtt::EncodePublish(publish, mqtt::Version::k311, &bytes);
  client.Send(ClientFrame(WsOpcode::kBinary, bytes));
  EXPECT_TRUE(ReceivePackets(client, bytes.size()) == bytes);
}

TEST_F(WsListener, AnswersPingsBetweenPackets) {
  TestClient client(address());
  Connect(client, "pinger");
  client.Send(ClientFrame(WsOpcode::kPing, "are you there"));
  std::string bytes = ReceiveUntil(client, [](const std::string& got) { return got.size() >= 15; });
  const ServerFrame pong = TakeServerFrame(&bytes);
  EXPECT_EQ(pong.opcode, WsOpcode::kPong);
  EXPECT_EQ(pong.payload, "are you there");
  client.Send(ClientFrame(WsOpcode::kBinary, kWsPingreq));
  EXPECT_EQ(ReceivePackets(client, 2).size(), 2u);
}

TEST_F(WsListener, ClosesAsTheClientDoes) {
  TestClient client(address());
  Connect(client, "polite");
  client.Send(ClientFrame(WsOpcode::kClose, std::string("\x03\xe9", 2)));
  EXPECT_EQ(CloseCode(client), 1001u);
  EXPECT_TRUE(Reaches(Stat::kClosedPeerGone, 1));
}

TEST_F(WsListener, SaysWhyItCloses) {
  const auto code_after = [this](const char* id, const std::string& bytes) {
    TestClient client(address());
    Connect(client, id);
    client.Send(bytes);
    return CloseCode(client);
  };
  EXPECT_EQ(code_after("text", ClientFrame(WsOpcode::kText, kWsPingreq)), 1003u);
  EXPECT_EQ(code_after("unmasked", std::string("\x82\x02\xc0\x00", 4)), 1002u);
  EXPECT_TRUE(Reaches(Stat::kClosedWebSocket, 2));
  EXPECT_EQ(code_after("nonsense", ClientFrame(WsOpcode::kBinary, std::string(8, '\xff'))), 1002u);
  EXPECT_TRUE(Reaches(Stat::kClosedMalformed, 1));
  EXPECT_EQ(code_after("done", ClientFrame(WsOpcode::kBinary, std::string("\xe0\x00", 2))), 1000u);
}

TEST_F(WsListener, RefusesOtherRequestsInHttp) {
  TestClient browser(address());
  browser.Send("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
  EXPECT_THAT(ReceiveToEnd(browser), StartsWith("HTTP/1.1 426 Upgrade Required\r\n"));
  TestClient page(address());
  page.Send(UpgradeRequest("Origin: https://elsewhere.example\r\n"));
  EXPECT_THAT(ReceiveToEnd(page), StartsWith("HTTP/1.1 403 Forbidden\r\n"));
  TestClient plain(address());
  plain.Send(ConnectPacket("plain"));
  EXPECT_THAT(ReceiveToEnd(plain), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_TRUE(Reaches(Stat::kClosedUpgrade, 3));
}

TEST_F(WsListener, FillsNoMemoryForOneThatPingsWithoutReading) {
  TestClient client(address());
  Connect(client, "deaf");
  std::string pings;
  for (int i = 0; i < 1000; ++i) pings += ClientFrame(WsOpcode::kPing, std::string(125, 'x'));
  for (int i = 0; i < 40; ++i) client.Send(pings);
  TestClient other(address());
  Connect(other, "other");
  other.Send(ClientFrame(WsOpcode::kBinary, kWsPingreq));
  EXPECT_EQ(ReceivePackets(other, 2).size(), 2u);
}

}  // namespace
}  // namespace atalaya::cloud_server
