#include "alertd/notify/receiver_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/notify/tests/notify_bench.h"
#include "base/file.h"

namespace atalaya::alertd {
namespace {

using testing::ElementsAre;

struct Read {
  ReceiverConfig receiver;
  std::string faults;
};

// `text` stands under [[receiver]] on line 1 of the file `name`.
Read ReadText(std::string_view text, const std::string& name = "test.toml") {
  Read read;
  Result<ConfigFile> file = ConfigFile::Parse(fmt::format("[[receiver]]\n{}", text), name);
  EXPECT_TRUE(file) << file.error().message;
  for (ConfigTable& table : file->Root().Tables("receiver")) read.receiver = ReadReceiver(table);
  if (const Status finished = file->Finish(); !finished) read.faults = finished.error().message;
  return read;
}

TEST(ReceiverConfig, ReadsAWebhookWithItsSecretBesideTheFile) {
  const TestFolder folder;
  ASSERT_TRUE(WriteFileAtomic(folder.path() / "token", "s3cret\n", 0600));
  const Read read = ReadText(R"(name = "ops"
webhook = { url = "https://example.org/hook", bearer_token_file = "token", timeout = "5s" })",
                             folder.path() / "alertd.toml");
  EXPECT_EQ(read.faults, "");
  EXPECT_EQ(read.receiver.kind, ReceiverKind::kWebhook);
  EXPECT_EQ(read.receiver.webhook.bearer_token, "s3cret");
  EXPECT_EQ(read.receiver.webhook.timeout, std::chrono::seconds(5));
  EXPECT_TRUE(read.receiver.send_resolved);
  EXPECT_FALSE(read.receiver.drill);
}

TEST(ReceiverConfig, ReadsEmailByServerAndByDirectory) {
  const Read smtp = ReadText(R"(name = "ops"
email = { smtp = "smtp://mail:25", starttls = true, from = "a@b", to = ["d@e", "c@d", "d@e"] })");
  EXPECT_EQ(smtp.faults, "");
  EXPECT_EQ(smtp.receiver.kind, ReceiverKind::kEmail);
  EXPECT_TRUE(smtp.receiver.email.server.starttls);
  EXPECT_THAT(smtp.receiver.email.to, ElementsAre("c@d", "d@e"));

  const Read directory = ReadText(R"(name = "box"
email = { directory = "mail", from = "a@b", to = ["c@d"] })",
                                  "/etc/atalaya/alertd.toml");
  EXPECT_EQ(directory.faults, "");
  EXPECT_EQ(directory.receiver.kind, ReceiverKind::kMailDirectory);
  EXPECT_EQ(directory.receiver.email.directory, "/etc/atalaya/mail");
}

TEST(ReceiverConfig, ReadsStdoutAndDrill) {
  const Read read = ReadText("name = \"t\"\nstdout = true\ndrill = true\nsend_resolved = false");
  EXPECT_EQ(read.faults, "");
  EXPECT_EQ(read.receiver.kind, ReceiverKind::kStdout);
  EXPECT_TRUE(read.receiver.drill);
  EXPECT_FALSE(read.receiver.send_resolved);
}

TEST(ReceiverConfig, NamesEachFaultAndWhatWasExpected) {
  EXPECT_EQ(ReadText("name = \"t\"").faults,
            "test.toml:1:1: expected exactly one of webhook, email and stdout = true");
  EXPECT_EQ(ReadText("name = \"t\"\nwebhook = { url = \"ftp://x\" }").faults,
            "test.toml:3:19: url: \"ftp://x\" is not a web address (write http://host/path or "
            "https://host/path)");
  EXPECT_EQ(ReadText("name = \"t\"\nwebhook = { urk = \"http://x\" }").faults,
            "test.toml:3:11: [webhook]: \"url\" is missing\n"
            "test.toml:3:13: unknown key \"urk\" in [webhook]; did you mean \"url\"?");
  EXPECT_EQ(
      ReadText("name = \"t\"\nemail = { smtp = \"smtp://h\", from = \"a@b\", to = [\"x y@z\"] }")
          .faults,
      "test.toml:3:49: to: \"x y@z\" is not a mail address (write name@host)");
  EXPECT_EQ(ReadText("name = \"t\"\nemail = { from = \"a@b\", to = [\"c@d\"] }").faults,
            "test.toml:3:9: expected either smtp = \"smtp://host:25\" or directory = \"DIR\"");
  EXPECT_EQ(ReadText("name = \"t\"\nwebhook = { url = \"http://x\", bearer_token_file = \"/no\" }")
                .faults,
            "test.toml:3:51: bearer_token_file: /no: cannot open: No such file or directory");
}

TEST(ReceiverConfig, ReadsFormatSignatureCertificateProxyAndFallback) {
  const TestFolder folder;
  const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";
  ASSERT_TRUE(WriteFileAtomic(folder.path() / "new", secret, 0600));
  ASSERT_TRUE(WriteFileAtomic(folder.path() / "old", secret, 0600));
  ASSERT_TRUE(WriteFileAtomic(folder.path() / "me.pem", "certificate"));
  ASSERT_TRUE(WriteFileAtomic(folder.path() / "me.key", "key", 0600));
  const Read read = ReadText(R"(name = "chat"
fallback = "mailbox"
[receiver.webhook]
url = "https://chat/hook"
format = "slack"
signing_secret_file = "new"
old_signing_secret_file = "old"
certificate_file = "me.pem"
key_file = "me.key"
proxy = "http://proxy:3128")",
                             folder.path() / "alertd.toml");
  EXPECT_EQ(read.faults, "");
  EXPECT_EQ(read.receiver.fallback, "mailbox");
  EXPECT_EQ(read.receiver.webhook.format, WebhookFormat::kSlack);
  EXPECT_EQ(read.receiver.webhook.signing_keys.size(), 2u);
  EXPECT_EQ(read.receiver.webhook.key_file, (folder.path() / "me.key").string());
  EXPECT_EQ(read.receiver.webhook.proxy, "http://proxy:3128");
}

TEST(ReceiverConfig, ABodyIsATemplateThatIsTriedAtOnce) {
  const Read good = ReadText(R"(name = "x"
webhook = { url = "http://h/", body = "{{ .CommonLabels.alertname }}", content_type = "text/plain" })");
  EXPECT_EQ(good.faults, "");
  EXPECT_EQ(good.receiver.webhook.format, WebhookFormat::kTemplate);
  const Read bad = ReadText(R"(name = "x"
webhook = { url = "http://h/", body = "{{ .Alert }}" })");
  EXPECT_EQ(bad.faults, "test.toml:3:39: body: there is no .Alert here");
}

}  // namespace
}  // namespace atalaya::alertd
