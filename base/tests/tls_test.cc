#include "base/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>

#include "base/tests/certificates.h"
#include "base/unique_fd.h"

namespace atalaya {
namespace {

using testing::HasSubstr;
using Outcome = TlsStream::Outcome;

// Both ends of one connection within the test.
class Tls : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    certificates_ = new Certificates;
    certificates_->Issue("server");
    certificates_->Issue("client");
    certificates_->Issue("late", -1);
  }
  static void TearDownTestSuite() {
    delete certificates_;
    certificates_ = nullptr;
  }

  static std::string Path(const std::string& file) { return certificates_->Path(file); }
  static TlsServerOptions ServerOptions() {
    return {.certificate_file = Path("server.pem"), .key_file = Path("server.key")};
  }
  static TlsClientOptions ClientOptions() { return {.ca_file = Path("ca.pem")}; }

  // Connects both ends; then `client_` and `server_` are at hand.
  void Open(const TlsServerOptions& server, const TlsClientOptions& client,
            const std::string& name = "localhost") {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    client_fd_ = UniqueFd(fds[0]);
    server_fd_ = UniqueFd(fds[1]);
    const auto server_context = TlsContext::ForServer(server);
    ASSERT_TRUE(server_context) << server_context.error().message;
    const auto client_context = TlsContext::ForClient(client);
    ASSERT_TRUE(client_context) << client_context.error().message;
    server_ = std::move(*TlsStream::Accept(*server_context, fds[1]));
    client_ = std::move(*TlsStream::Connect(*client_context, fds[0], name));
  }

  // Until neither end waits for the other. The client may be done before the server refuses it.
  void Shake() {
    Outcome client = Outcome::kWantRead;
    Outcome server = Outcome::kWantRead;
    for (int i = 0; i < 10; ++i) {
      if (client == Outcome::kWantRead) client = client_->Handshake();
      if (server == Outcome::kWantRead) server = server_->Handshake();
    }
    client_shaken_ = client;
    server_shaken_ = server;
  }

  static std::string Read(TlsStream* stream) {
    std::array<char, 4096> bytes;
    std::size_t got = 0;
    return stream->Read(bytes, &got) == Outcome::kDone ? std::string(bytes.data(), got) : "";
  }
  static void Write(TlsStream* stream, std::string_view bytes) {
    std::size_t taken = 0;
    EXPECT_EQ(stream->Write(bytes, &taken), Outcome::kDone);
    EXPECT_EQ(taken, bytes.size());
  }

  static Certificates* certificates_;
  UniqueFd client_fd_;
  UniqueFd server_fd_;
  std::unique_ptr<TlsStream> client_;
  std::unique_ptr<TlsStream> server_;
  Outcome client_shaken_{};
  Outcome server_shaken_{};
};

Certificates* Tls::certificates_ = nullptr;

TEST_F(Tls, CarriesBytesBothWays) {
  Open(ServerOptions(), ClientOptions());
  Shake();
  ASSERT_EQ(client_shaken_, Outcome::kDone) << client_->error();
  ASSERT_EQ(server_shaken_, Outcome::kDone) << server_->error();
  Write(client_.get(), "question");
  EXPECT_EQ(Read(server_.get()), "question");
  Write(server_.get(), "answer");
  EXPECT_EQ(Read(client_.get()), "answer");
  EXPECT_FALSE(server_->HasBuffered());
  EXPECT_EQ(server_->PeerCommonName(), "");
  EXPECT_EQ(client_->PeerCommonName(), "server");
}

TEST_F(Tls, SaysWhereMoreIsBuffered) {
  Open(ServerOptions(), ClientOptions(), "127.0.0.1");
  Shake();
  Write(client_.get(), "twelve bytes");
  std::array<char, 8> few;
  std::size_t got = 0;
  ASSERT_EQ(server_->Read(few, &got), Outcome::kDone);
  EXPECT_EQ(std::string_view(few.data(), got), "twelve b");
  EXPECT_TRUE(server_->HasBuffered());
  ASSERT_EQ(server_->Read(few, &got), Outcome::kDone);
  EXPECT_EQ(std::string_view(few.data(), got), "ytes");
  EXPECT_FALSE(server_->HasBuffered());
  EXPECT_EQ(server_->Read(few, &got), Outcome::kWantRead);
}

TEST_F(Tls, WaitsForARecordThatIsNotWhole) {
  Open(ServerOptions(), ClientOptions());
  Shake();
  Write(client_.get(), std::string(1000, 'x'));
  // The record goes through another socket, without its last byte.
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  const UniqueFd feeder(fds[0]);
  std::string record(5000, '\0');
  record.resize(static_cast<std::size_t>(recv(server_fd_.get(), record.data(), record.size(), 0)));
  ASSERT_GT(dup2(fds[1], server_fd_.get()), 0);
  close(fds[1]);
  ASSERT_GT(send(feeder.get(), record.data(), record.size() - 1, 0), 0);
  std::array<char, 4096> bytes;
  std::size_t got = 0;
  EXPECT_EQ(server_->Read(bytes, &got), Outcome::kWantRead);
  EXPECT_FALSE(server_->HasBuffered()) << "nobody can read it yet";
  ASSERT_EQ(send(feeder.get(), &record.back(), 1, 0), 1);
  EXPECT_EQ(server_->Read(bytes, &got), Outcome::kDone);
  EXPECT_EQ(got, 1000u);
}

TEST_F(Tls, GoesOnWithAWriteThatWasBlocked) {
  Open(ServerOptions(), ClientOptions());
  Shake();
  std::string sent(4u << 20, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 7 / 3);
  std::string received;
  std::size_t at = 0;
  bool was_blocked = false;
  while (received.size() < sent.size()) {
    std::size_t taken = 0;
    Outcome outcome = Outcome::kDone;
    while (at < sent.size() && outcome == Outcome::kDone) {
      const std::string elsewhere = sent.substr(at, 20'000);
      outcome = server_->Write(elsewhere, &taken);
      if (outcome == Outcome::kDone) at += taken;
    }
    was_blocked = was_blocked || outcome == Outcome::kWantWrite;
    received += Read(client_.get());
  }
  EXPECT_TRUE(was_blocked);
  EXPECT_EQ(received, sent);
}

TEST_F(Tls, RefusesACertificateForAnotherName) {
  Open(ServerOptions(), ClientOptions(), "elsewhere.example");
  Shake();
  EXPECT_EQ(client_shaken_, Outcome::kFailed);
  EXPECT_THAT(client_->error(), HasSubstr("certificate verify failed: hostname mismatch"));
  EXPECT_TRUE(client_->certificate_refused());
  EXPECT_EQ(server_shaken_, Outcome::kFailed);
  EXPECT_TRUE(server_->certificate_refused()) << server_->error();
}

TEST_F(Tls, RefusesAnUnknownAuthorityAndAnExpiredCertificate) {
  TlsClientOptions client = ClientOptions();
  client.ca_file = Path("other-ca.pem");
  Open(ServerOptions(), client);
  Shake();
  EXPECT_EQ(client_shaken_, Outcome::kFailed);

  TlsServerOptions server = ServerOptions();
  server.certificate_file = Path("late.pem");
  server.key_file = Path("late.key");
  Open(server, ClientOptions());
  Shake();
  EXPECT_EQ(client_shaken_, Outcome::kFailed);
  EXPECT_THAT(client_->error(), HasSubstr("certificate has expired"));
}

TEST_F(Tls, AsksForCertificatesOfClients) {
  TlsServerOptions server = ServerOptions();
  server.ca_file = Path("ca.pem");
  server.client_certificates = ClientCertificates::kRequired;
  Open(server, ClientOptions());
  Shake();
  EXPECT_EQ(server_shaken_, Outcome::kFailed);
  EXPECT_TRUE(server_->certificate_refused());
  EXPECT_THAT(server_->error(), HasSubstr("did not return a certificate"));

  TlsClientOptions client = ClientOptions();
  client.certificate_file = Path("client.pem");
  client.key_file = Path("client.key");
  Open(server, client);
  Shake();
  EXPECT_EQ(server_shaken_, Outcome::kDone) << server_->error();
  EXPECT_EQ(server_->PeerCommonName(), "client");

  client.certificate_file = Path("late.pem");
  client.key_file = Path("late.key");
  server.client_certificates = ClientCertificates::kOptional;
  Open(server, client);
  Shake();
  EXPECT_EQ(server_shaken_, Outcome::kFailed) << "one that shows a certificate shows a good one";
  EXPECT_THAT(server_->error(), HasSubstr("certificate has expired"));

  Open(server, ClientOptions());
  Shake();
  EXPECT_EQ(server_shaken_, Outcome::kDone) << server_->error();
  EXPECT_EQ(server_->PeerCommonName(), "");
}

TEST_F(Tls, TellsAnEndFromNonsense) {
  Open(ServerOptions(), ClientOptions());
  client_fd_.Reset();
  EXPECT_EQ(server_->Handshake(), Outcome::kClosed);

  Open(ServerOptions(), ClientOptions());
  ASSERT_EQ(send(client_fd_.get(), "GET / HTTP/1.1\r\n", 16, 0), 16);
  EXPECT_EQ(server_->Handshake(), Outcome::kFailed);
  EXPECT_FALSE(server_->certificate_refused());
  EXPECT_NE(server_->error(), "");

  Open(ServerOptions(), ClientOptions());
  Shake();
  Write(client_.get(), "last words");
  client_->Shutdown();
  EXPECT_EQ(Read(server_.get()), "last words");
  EXPECT_TRUE(server_->HasBuffered()) << "the end is still to be read";
  std::array<char, 8> bytes;
  std::size_t got = 0;
  EXPECT_EQ(server_->Read(bytes, &got), Outcome::kClosed);
}

TEST_F(Tls, NamesTheFileThatIsWrong) {
  TlsServerOptions options = ServerOptions();
  options.key_file = Path("client.key");
  EXPECT_THAT(TlsContext::ForServer(options).error().message,
              HasSubstr("client.key: no private key in PEM for the certificate in "));
  options.key_file = Path("none.key");
  EXPECT_EQ(TlsContext::ForServer(options).error().code, ErrorCode::kNotFound);
  options = ServerOptions();
  options.certificate_file = options.key_file;
  EXPECT_THAT(TlsContext::ForServer(options).error().message,
              HasSubstr("server.key: no certificate in PEM"));
  options = ServerOptions();
  options.client_certificates = ClientCertificates::kOptional;
  options.ca_file = Path("server.key");
  EXPECT_THAT(TlsContext::ForServer(options).error().message, HasSubstr("no certificates in PEM"));
}

TEST_F(Tls, RefusesAKeyThatOthersMayRead) {
  certificates_->Issue("careless");
  TlsServerOptions options = {.certificate_file = Path("careless.pem"),
                              .key_file = Path("careless.key")};
  ASSERT_EQ(chmod(options.key_file.c_str(), 0640), 0);
  EXPECT_TRUE(TlsContext::ForServer(options));
  ASSERT_EQ(chmod(options.key_file.c_str(), 0644), 0);
  const auto refused = TlsContext::ForServer(options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_THAT(refused.error().message,
              HasSubstr("careless.key: holds a secret, and its mode 0644"));
}

TEST_F(Tls, KnowsWhenItsCertificateEnds) {
  const auto good = TlsContext::ForServer(ServerOptions());
  const auto late =
      TlsContext::ForServer({.certificate_file = Path("late.pem"), .key_file = Path("late.key")});
  ASSERT_TRUE(good && late);
  const std::int64_t day_ms = 86'400'000;
  EXPECT_NEAR(static_cast<double>((*good)->certificate_ends_ms() - (*late)->certificate_ends_ms()),
              3.0 * static_cast<double>(day_ms), 60'000);
}

}  // namespace
}  // namespace atalaya
