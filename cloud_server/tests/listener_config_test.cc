#include "cloud_server/listener_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloud_server/config.h"

namespace atalaya::cloud_server {
namespace {

using testing::HasSubstr;

// The faults of a file with this text; "" where it has none.
std::string Faults(std::string_view text) {
  Result<ConfigFile> file = ConfigFile::Parse(text, "server.toml");
  EXPECT_TRUE(file);
  ReadListeners(file->Root());
  const Status good = file->Finish();
  return good ? "" : good.error().message;
}

std::vector<ListenerConfig> Read(std::string_view text) {
  Result<ConfigFile> file = ConfigFile::Parse(text, "server.toml");
  EXPECT_TRUE(file);
  std::vector<ListenerConfig> listeners = ReadListeners(file->Root());
  EXPECT_TRUE(file->Finish());
  return listeners;
}

TEST(ListenerConfig, ReadsEachListener) {
  const std::vector<ListenerConfig> listeners = Read(R"(
    [[listener]]
    address = "127.0.0.1:1883"
    [[listener]]
    address = "[::]:8884"
    protocol = "wss"
    certificate_file = "server.pem"
    key_file = "server.key"
    ca_file = "ca.pem"
    client_certificates = "required"
    allow_remote = true
    origins = ["https://dash.example.org"]
  )");
  ASSERT_EQ(listeners.size(), 2u);
  EXPECT_EQ(listeners[0].protocol, Protocol::kMqtt);
  EXPECT_FALSE(listeners[0].allow_remote);
  EXPECT_EQ(listeners[1].address, (HostPort{"::", 8884}));
  EXPECT_EQ(listeners[1].protocol, Protocol::kWss);
  EXPECT_EQ(listeners[1].tls.client_certificates, ClientCertificates::kRequired);
  EXPECT_EQ(listeners[1].origins.allowed.size(), 1u);
  EXPECT_EQ(listeners[1].place, "server.toml:4:5");
}

TEST(ListenerConfig, NamesWhatIsMissingOrOutOfPlace) {
  EXPECT_THAT(Faults("[[listener]]\nprotocol = \"mqtt\""), HasSubstr("address"));
  EXPECT_THAT(Faults("[[listener]]\naddress = \"here\""), HasSubstr("2:11: address: \"here\""));
  EXPECT_THAT(Faults("[[listener]]\naddress = \"[::1]:1\"\nprotocol = \"tls\""),
              HasSubstr("protocol"));
  EXPECT_THAT(Faults("[[listener]]\naddress = \"[::1]:1\"\nprotocol = \"mqtts\""),
              HasSubstr("certificate_file"));
  EXPECT_THAT(Faults("[[listener]]\naddress = \"[::1]:1\"\nkey_file = \"k\""),
              HasSubstr("key_file: is for the protocols mqtts and wss"));
  EXPECT_THAT(Faults("[[listener]]\naddress = \"[::1]:1\"\norigins = [\"*\"]"),
              HasSubstr("origins: is for the protocols ws and wss"));
  const std::string tls =
      "[[listener]]\naddress = \"[::1]:1\"\nprotocol = \"mqtts\"\ncertificate_file = \"c\"\n"
      "key_file = \"k\"\n";
  EXPECT_EQ(Faults(tls), "");
  EXPECT_THAT(Faults(tls + "client_certificates = \"optional\""), HasSubstr("needs ca_file"));
  EXPECT_THAT(Faults(tls + "ca_file = \"ca\""), HasSubstr("ca_file: is for client_certificates"));
  std::string many;
  for (std::size_t i = 0; i <= kMaxListeners; ++i) many += "[[listener]]\naddress = \"[::1]:0\"\n";
  EXPECT_THAT(Faults(many), HasSubstr("more than 16 listeners"));
}

TEST(ListenerConfig, RefusesRemoteAddressesByName) {
  FileConfig file;
  file.listeners = Read("[[listener]]\naddress = \"0.0.0.0:1883\"");
  EXPECT_THAT(AllListeners({}, file).error().message,
              HasSubstr("server.toml:1:1: \"0.0.0.0\" can be reached from other machines"));
  file.listeners[0].allow_remote = true;
  EXPECT_EQ(AllListeners({}, file).error().code, ErrorCode::kRefused);
  file.listeners[0].tls.client_certificates = ClientCertificates::kRequired;
  EXPECT_TRUE(AllListeners({}, file));
  file.listeners[0].tls.client_certificates = ClientCertificates::kOptional;
  EXPECT_EQ(AllListeners({}, file).error().code, ErrorCode::kRefused);
  file.access.password_file = "passwords";
  EXPECT_TRUE(AllListeners({}, file));
}

TEST(ListenerConfig, RefusesOneAddressTwice) {
  FileConfig file;
  file.listeners = Read("[[listener]]\naddress = \"127.0.0.1:1883\"");
  const ListenerConfig flag{.address = {"127.0.0.1", 1883}, .place = "--listen"};
  EXPECT_THAT(AllListeners({flag}, file).error().message,
              HasSubstr("server.toml:1:1: 127.0.0.1:1883 stands there twice"));
}

}  // namespace
}  // namespace atalaya::cloud_server
