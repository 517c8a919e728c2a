#include "base/smtp_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/tests/scripted_server.h"

namespace atalaya {
namespace {

using testing::HasSubstr;

struct Replies {
  std::string to_recipient = "250 2.1.5 Fine";
  std::string to_data_end = "250-2.0.0 Taken\r\n250 as 42";
};

// A mail server that knows just enough, and keeps what it was told.
class SmtpBench {
 public:
  explicit SmtpBench(Replies replies = {})
      : replies_(std::move(replies)), server_([this](ScriptedPeer& peer) { Serve(peer); }) {}

  SmtpServer server() const {
    return {.url = "smtp://" + server_.address(), .timeout = std::chrono::seconds(10)};
  }
  const std::string& commands() const { return commands_; }  // Once SmtpSend has returned.
  const std::string& mail() const { return mail_; }

 private:
  void Serve(ScriptedPeer& peer) {
    peer.Send("220 bench ESMTP\r\n");
    std::string line;
    while (peer.ReadTo("\r\n", &line)) {
      commands_ += line;
      if (line.starts_with("EHLO")) {
        peer.Send("250-bench\r\n250 SIZE 1000000\r\n");
      } else if (line.starts_with("RCPT")) {
        peer.Send(replies_.to_recipient + "\r\n");
      } else if (line.starts_with("DATA")) {
        peer.Send("354 Go on\r\n");
        peer.ReadTo("\r\n.\r\n", &mail_);
        if (replies_.to_data_end.empty()) return;
        peer.Send(replies_.to_data_end + "\r\n");
      } else if (line.starts_with("QUIT")) {
        peer.Send("221 Bye\r\n");
        return;
      } else {
        peer.Send("250 Fine\r\n");
      }
    }
  }

  Replies replies_;
  std::string commands_;
  std::string mail_;
  ScriptedServer server_;  // Last: its thread uses the others.
};

constexpr char kMail[] = "Subject: test\r\n\r\nfirst\r\n.dot\r\n";

TEST(SmtpSend, DeliversTheMessageInOneTransaction) {
  SmtpBench bench;
  const auto reply = SmtpSend(bench.server(), "atalaya@box", "ops@example.org", kMail);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->code, 250);
  EXPECT_EQ(reply->text, "2.0.0 Taken as 42");
  EXPECT_THAT(bench.commands(), HasSubstr("MAIL FROM:<atalaya@box>"));
  EXPECT_THAT(bench.commands(), HasSubstr("RCPT TO:<ops@example.org>\r\n"));
  EXPECT_EQ(bench.mail(), "Subject: test\r\n\r\nfirst\r\n..dot\r\n.\r\n");
}

TEST(SmtpSend, ReturnsTheRefusalOfARecipient) {
  SmtpBench bench({.to_recipient = "550 5.1.1 No such user"});
  const auto reply = SmtpSend(bench.server(), "atalaya@box", "ops@example.org", kMail);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->code, 550);
  EXPECT_EQ(reply->text, "5.1.1 No such user");
}

TEST(SmtpSend, ReturnsATemporaryRefusalOfTheMessage) {
  SmtpBench bench({.to_data_end = "451 4.3.0 Try later"});
  const auto reply = SmtpSend(bench.server(), "atalaya@box", "ops@example.org", kMail);
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->code, 451);
}

TEST(SmtpSend, IsNoReplyWhenTheConnectionBreaksBeforeAcceptance) {
  SmtpBench bench({.to_data_end = ""});
  const auto reply = SmtpSend(bench.server(), "atalaya@box", "ops@example.org", kMail);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kIo);
}

TEST(SmtpSend, DoesNotLeaveWithoutRequiredStarttls) {
  SmtpBench bench;
  SmtpServer server = bench.server();
  server.starttls = true;
  const auto reply = SmtpSend(server, "atalaya@box", "ops@example.org", kMail);
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error().message, HasSubstr("STARTTLS is required"));
  EXPECT_THAT(bench.commands(), testing::Not(HasSubstr("MAIL FROM")));
}

TEST(SmtpSend, EndsAtTheDeadline) {
  ScriptedServer silent([](ScriptedPeer& peer) { peer.WaitForEnd(); });
  const auto reply =
      SmtpSend({.url = "smtp://" + silent.address(), .timeout = std::chrono::milliseconds(50)},
               "atalaya@box", "ops@example.org", kMail);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kTimeout);
}

TEST(SmtpSend, EndsSoonAfterARequestToStop) {
  std::stop_source stop;
  ScriptedServer silent([&stop](ScriptedPeer& peer) {
    stop.request_stop();
    peer.WaitForEnd();
  });
  const auto reply =
      SmtpSend({.url = "smtp://" + silent.address(), .timeout = std::chrono::minutes(5)},
               "atalaya@box", "ops@example.org", kMail, stop.get_token());
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kIo);
  EXPECT_THAT(reply.error().message, HasSubstr("stopped"));
}

TEST(SmtpSend, RefusesAnAddressThatWouldBeACommand) {
  const auto reply = SmtpSend({.url = "smtp://127.0.0.1:1"}, "atalaya@box",
                              "ops@example.org>\r\nRCPT TO:<x", kMail);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace atalaya
