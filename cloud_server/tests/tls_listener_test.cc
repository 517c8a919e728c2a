#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/tests/certificates.h"
#include "cloud_server/tests/server_bench.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;
using testing::HasSubstr;

constexpr std::string_view kPingreq("\xc0\x00", 2);
constexpr std::string_view kPingresp("\xd0\x00", 2);

std::string TlsConnectPacket(std::string_view client_id) {
  mqtt::Connect packet;
  packet.client_id = client_id;
  packet.clean_start = true;
  std::string bytes;
  mqtt::EncodeConnect(packet, &bytes);
  return bytes;
}

// A client over TLS; its waits have a deadline.
class TlsClient {
 public:
  TlsClient(const HostPort& server, const TlsClientOptions& options) {
    const auto context = TlsContext::ForClient(options);
    Result<UniqueFd> fd = StartConnectTcp(server);
    EXPECT_TRUE(context && fd);
    fd_ = std::move(*fd);
    Wait(POLLOUT);
    stream_ = std::move(*TlsStream::Connect(*context, fd_.get(), server.host));
  }

  TlsStream::Outcome Handshake() {
    return Until([this] { return stream_->Handshake(); });
  }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t taken = 0;
      const auto outcome = Until([&] { return stream_->Write(bytes, &taken); });
      if (outcome != TlsStream::Outcome::kDone) return;
      bytes.remove_prefix(taken);
    }
  }
  // As many bytes as are asked for; fewer where the server ends before.
  std::string Receive(std::size_t wanted) {
    std::string received;
    while (received.size() < wanted) {
      std::string part(wanted - received.size(), '\0');
      std::size_t got = 0;
      const auto outcome = Until([&] { return stream_->Read(part, &got); });
      if (outcome != TlsStream::Outcome::kDone) break;
      received.append(part, 0, got);
    }
    return received;
  }
  bool Pings() {
    Send(kPingreq);
    return Receive(2) == kPingresp;
  }
  bool Connects(std::string_view id) {
    Send(TlsConnectPacket(id));
    return Receive(4) == std::string_view("\x20\x02\x00\x00", 4);
  }
  std::string ServerName() const { return stream_->PeerCommonName(); }

 private:
  void Wait(short events) {
    pollfd waited{fd_.get(), events, 0};
    EXPECT_EQ(poll(&waited, 1, 20'000), 1);
  }
  template <typename Call>
  TlsStream::Outcome Until(const Call& call) {
    while (true) {
      const TlsStream::Outcome outcome = call();
      if (outcome == TlsStream::Outcome::kWantRead) {
        Wait(POLLIN);
      } else if (outcome == TlsStream::Outcome::kWantWrite) {
        Wait(POLLOUT);
      } else {
        return outcome;
      }
    }
  }

  UniqueFd fd_;
  std::unique_ptr<TlsStream> stream_;
};

class TlsListener : public ServerBench {
 protected:
  static void SetUpTestSuite() {
    certificates_ = new Certificates;
    certificates_->Issue("first");
    certificates_->Issue("second");
    certificates_->Issue("client");
    certificates_->Issue("late", -1);
  }
  static void TearDownTestSuite() {
    delete certificates_;
    certificates_ = nullptr;
  }

  static std::string Path(const std::string& file) { return certificates_->Path(file); }
  static std::string File(const std::string& name,
                          const std::string& client_certificates = "none") {
    std::string text = fmt::format(
        "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocol = \"mqtts\"\ncertificate_file = \"{}\"\n"
        "key_file = \"{}\"\nclient_certificates = \"{}\"\n",
        Path(name + ".pem"), Path(name + ".key"), client_certificates);
    if (client_certificates != "none") text += fmt::format("ca_file = \"{}\"\n", Path("ca.pem"));
    return text;
  }
  TlsClient Client(const std::string& certificate = "") {
    TlsClientOptions options = {.ca_file = Path("ca.pem")};
    if (!certificate.empty()) {
      options.certificate_file = Path(certificate + ".pem");
      options.key_file = Path(certificate + ".key");
    }
    return {address(), options};
  }

  static Certificates* certificates_;
};

Certificates* TlsListener::certificates_ = nullptr;

TEST_F(TlsListener, ServesClientsOfEveryLoop) {
  StartFrom(File("first"));
  // With ids enough every loop gets some that came in by another: they move with their TLS state.
  for (int i = 0; i < 8; ++i) {
    TlsClient client = Client();
    // PINGs that come in one record with the CONNECT move too.
    client.Send(TlsConnectPacket(fmt::format("client-{}", i)) + std::string(kPingreq) +
                std::string(kPingreq));
    EXPECT_EQ(client.Receive(8),
              std::string("\x20\x02\x00\x00", 4) + std::string(kPingresp) + std::string(kPingresp));
    EXPECT_TRUE(client.Pings());
  }
  EXPECT_TRUE(Reaches(Stat::kClosedPeerGone, 8));
}

TEST_F(TlsListener, CarriesLargePacketsBothWays) {
  StartFrom(File("first"));
  TlsClient client = Client();
  ASSERT_TRUE(client.Connects("large"));
  std::string subscribe;
  mqtt::Subscribe wanted;
  wanted.packet_id = 1;
  wanted.subscriptions.push_back({"large", mqtt::Qos::k0, false, false, 0});
  mqtt::EncodeSubscribe(wanted, mqtt::Version::k311, &subscribe);
  client.Send(subscribe);
  ASSERT_EQ(client.Receive(5).size(), 5u);
  std::string payload(3'000'000, '\0');
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 13 / 5);
  mqtt::Publish publish;
  publish.topic = "large";
  publish.payload = payload;
  std::string bytes;
  mqtt::EncodePublish(publish, mqtt::Version::k311, &bytes);
  client.Send(bytes);
  EXPECT_TRUE(client.Receive(bytes.size()) == bytes);
}

TEST_F(TlsListener, CountsWhyAHandshakeFailed) {
  StartFrom(File("first", "required"));
  TlsClient without = Client();
  (void)without.Handshake();  // In TLS 1.3 the client is done before the server judges it.
  EXPECT_EQ(without.Receive(1), "");
  EXPECT_TRUE(Reaches(Stat::kClosedCertificate, 1));
  TlsClient late = Client("late");
  (void)late.Handshake();
  EXPECT_EQ(late.Receive(1), "");
  EXPECT_TRUE(Reaches(Stat::kClosedCertificate, 2));
  TestClient plain(address());
  plain.Send(TlsConnectPacket("plain"));
  char byte = 0;
  pollfd waited{plain.fd(), POLLIN, 0};
  ASSERT_EQ(poll(&waited, 1, 20'000), 1);
  while (recv(plain.fd(), &byte, 1, 0) > 0) {
  }
  EXPECT_TRUE(Reaches(Stat::kClosedTls, 1));
  TlsClient good = Client("client");
  EXPECT_TRUE(good.Connects("good"));
}

TEST_F(TlsListener, GivesUpOnAHandshakeThatDoesNotCome) {
  StartFrom(File("first") + "[limits]\nconnect_timeout = \"100ms\"\n");
  TestClient silent(address());
  silent.Send(std::string_view("\x16\x03\x01", 3));
  EXPECT_TRUE(silent.WaitClosed());
  EXPECT_TRUE(Reaches(Stat::kClosedConnectTimeout, 1));
}

TEST_F(TlsListener, TakesNewCertificatesWithoutDroppingAnyone) {
  StartFrom(File("first"));
  TlsClient before = Client();
  ASSERT_TRUE(before.Connects("before"));
  EXPECT_EQ(before.ServerName(), "first");
  WriteConfig(File("second"));
  const Status reloaded = app_->Reload();
  ASSERT_TRUE(reloaded) << reloaded.error().message;
  TlsClient after = Client();
  ASSERT_TRUE(after.Connects("after"));
  EXPECT_EQ(after.ServerName(), "second");
  EXPECT_TRUE(before.Pings());
  EXPECT_EQ(Total(Stat::kConnections), 2);

  WriteConfig(File("second", "required"));
  ASSERT_TRUE(app_->Reload());
  TlsClient without = Client();
  (void)without.Handshake();
  EXPECT_EQ(without.Receive(1), "");
  EXPECT_TRUE(before.Pings());
}

TEST_F(TlsListener, KeepsWhatItHasWhereAReloadFails) {
  StartFrom(File("first"));
  EXPECT_TRUE(Reaches(Stat::kConfigReloadSuccessful, 1));
  const std::int64_t read_at = Total(Stat::kConfigReloadTime);
  const auto refuses = [this](const std::string& text, const char* why) {
    WriteConfig(text);
    const Status reloaded = app_->Reload();
    ASSERT_FALSE(reloaded) << text;
    EXPECT_THAT(reloaded.error().message, HasSubstr(why));
    EXPECT_TRUE(Reaches(Stat::kConfigReloadSuccessful, 0));
  };
  const std::string careless = Path("careless.key");
  std::filesystem::copy_file(Path("second.key"), careless);
  ASSERT_EQ(chmod(careless.c_str(), 0644), 0);
  std::string text = File("second");
  refuses(text.replace(text.find(Path("second.key")), Path("second.key").size(), careless),
          "careless.key: holds a secret");
  refuses(File("none"), "none.key");
  refuses(File("second") + "[limits]\nmax_connections = -1\n", "max_connections");
  refuses(File("second") + "[[listener]]\naddress = \"127.0.0.1:0\"\n", "restart");
  refuses("[[listener]]\naddress = \"127.0.0.1:0\"\n", "restart");
  TlsClient client = Client();
  ASSERT_TRUE(client.Connects("still"));
  EXPECT_EQ(client.ServerName(), "first");
  EXPECT_EQ(Total(Stat::kConfigReloadTime), read_at);
  WriteConfig(File("second"));
  EXPECT_TRUE(app_->Reload());
  EXPECT_TRUE(Reaches(Stat::kConfigReloadSuccessful, 1));
}

TEST_F(TlsListener, IsNotOpenedWithoutItsFiles) {
  WriteConfig(File("none"));
  Options options;
  options.config_file = folder_ / "server.toml";
  options.data_dir = folder_ / "data";
  options.stats_file = folder_ / "stats";
  const Result<Config> config = LoadConfig(options);
  ASSERT_TRUE(config);
  const auto app = App::Create(*config);
  ASSERT_FALSE(app);
  EXPECT_THAT(app.error().message, HasSubstr("server.toml:1:1: "));
  EXPECT_THAT(app.error().message, HasSubstr("none.key: cannot open"));
}

}  // namespace
}  // namespace atalaya::cloud_server
