#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "alertd/notify/mail.h"
#include "alertd/notify/notice.h"
#include "alertd/notify/tests/notify_bench.h"
#include "alertd/notify/webhook_payload.h"
#include "base/file.h"

namespace atalaya::alertd {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kPage = "http://127.0.0.1:9480";

Notice TwoAlerts() {
  Notice notice;
  notice.id = "msg_00000000000000010000000000000002";
  notice.thread_id = "msg_00000000000000000000000000000001";
  notice.receiver = "ops";
  notice.group_key = "{}:{alertname=\"CloudServerDown\"}";
  notice.group_labels.Set("alertname", "CloudServerDown");
  notice.created_ms = kStartMs + 60'000;
  notice.alerts = {
      MakeNoticeAlert(
          Resolved(FiringAlert("CloudServerDown", "b<c>&\"d\"", kStartMs), kStartMs + 59'500)),
      MakeNoticeAlert(FiringAlert("CloudServerDown", "caf\xc3\xa9", kStartMs + 1'250))};
  ArrangeAlerts(notice);
  return notice;
}

std::string Golden(const std::string& name) {
  const Result<std::string> content = ReadFile("alertd/notify/tests/golden/" + name);
  return content ? *content : content.error().message;
}

TEST(WebhookPayload, IsAlertmanagersVersion4) {
  EXPECT_EQ(RenderWebhookPayload(TwoAlerts(), kPage) + "\n", Golden("payload.json"));
}

TEST(Mail, IsAWholeMessageWithTextAndHtml) {
  EXPECT_EQ(RenderMail(TwoAlerts(), {"atalaya@example.org", "ops@example.org"}, kPage),
            Golden("mail.eml"));
}

TEST(Mail, FiringAndResolvedShareTheSubjectAfterTheBracket) {
  Notice notice = TwoAlerts();
  EXPECT_THAT(RenderMail(notice, {"a@b", "c@d"}, kPage),
              HasSubstr("\r\nSubject: [FIRING] CloudServerDown\r\n"));
  notice.alerts.erase(notice.alerts.begin());
  const std::string resolved = RenderMail(notice, {"a@b", "c@d"}, kPage);
  EXPECT_THAT(resolved, HasSubstr("\r\nSubject: [RESOLVED] CloudServerDown\r\n"));
  EXPECT_THAT(resolved, HasSubstr("\r\nReferences: <msg_00000000000000000000000000000001@b>\r\n"));
}

TEST(Mail, AHostileAlertAddsNoHeaderAndNoMarkup) {
  Notice notice = TwoAlerts();
  notice.group_labels.Set("alertname", "x\r\nBcc: evil@example.org\r\n\r\n<script>");
  notice.alerts[0].annotations["summary"] = "<script>alert(1)</script>\r\n.\r\nQUIT";
  const std::string mail = RenderMail(notice, {"a@b", "c@d"}, kPage);
  EXPECT_THAT(mail, Not(HasSubstr("\nBcc:")));
  EXPECT_THAT(mail, HasSubstr("Subject: [FIRING] x  Bcc: evil@example.org    <script>\r\n"));
  const std::string html = mail.substr(mail.find("text/html"));
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
}

TEST(Mail, EveryLineIsShortAndEndsInCrLf) {
  Notice notice = TwoAlerts();
  notice.alerts[0].annotations["description"] =
      std::string(8'000, 'x') + "\n" + std::string(300, '\xe2');
  const std::string mail = RenderMail(notice, {"a@b", "c@d"}, kPage);
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = mail.find('\n', begin)) != std::string::npos; begin = end + 1) {
    ASSERT_GT(end, begin);
    ASSERT_EQ(mail[end - 1], '\r');
    ASSERT_LE(end - begin, 200u);
  }
  EXPECT_EQ(begin, mail.size());
}

TEST(EncodeHeaderText, EncodesWhatIsNotPlainInFoldedWords) {
  EXPECT_EQ(EncodeHeaderText("plain text"), "plain text");
  EXPECT_EQ(EncodeHeaderText("caf\xc3\xa9"), "=?UTF-8?B?Y2Fmw6k=?=");
  EXPECT_EQ(EncodeHeaderText("=?forged?="), "=?UTF-8?B?PT9mb3JnZWQ/PQ==?=");
  const std::string folded = EncodeHeaderText(std::string(46, 'a') + "\xc3\xa9");
  EXPECT_THAT(folded, HasSubstr("?=\r\n =?UTF-8?B?"));
}

TEST(EncodeQuotedPrintable, KeepsLinesShortAndTrailingBlanks) {
  EXPECT_EQ(EncodeQuotedPrintable("a=b\ntab\t\nend "), "a=3Db\r\ntab=09\r\nend=20");
  EXPECT_EQ(EncodeQuotedPrintable("a\rb\r\nc"), "a=0Db\r\nc");
  EXPECT_EQ(EncodeQuotedPrintable(std::string(80, 'x')),
            std::string(75, 'x') + "=\r\n" + std::string(5, 'x'));
}

TEST(FormatMailDate, IsRfc5322) {
  EXPECT_EQ(FormatMailDate(1'795'221'366'123), "Sat, 21 Nov 2026 00:36:06 +0000");
}

TEST(Notice, SurvivesTheOutbox) {
  Notice notice = TwoAlerts();
  notice.alerts[0].value = 0.1;
  notice.truncated = 3;
  const Result<Notice> decoded = DecodeNotice(EncodeNotice(notice));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, notice);
}

TEST(Notice, RefusesWhatIsNoNotice) {
  EXPECT_EQ(DecodeNotice("{").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(DecodeNotice("{}").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(DecodeNotice("{\"version\":2}").error().code, ErrorCode::kVersion);
}

TEST(Notice, CutsAlertsBeyondTheLimitAndSaysHowMany) {
  Notice notice = TwoAlerts();
  notice.alerts.resize(kMaxAlertsPerNotice + 7, notice.alerts.back());
  ArrangeAlerts(notice);
  EXPECT_EQ(notice.alerts.size(), kMaxAlertsPerNotice);
  EXPECT_EQ(notice.truncated, 7u);
  EXPECT_THAT(RenderWebhookPayload(notice, kPage), HasSubstr("\"truncatedAlerts\":7"));
}

TEST(Notice, SummaryIsOneLineOfTheFirstAlert) {
  Notice notice = TwoAlerts();
  EXPECT_EQ(NoticeSummary(notice), "caf\xc3\xa9 is down (and 1 more)");
  notice.alerts[0].annotations["summary"] = "a\nb";
  notice.alerts.pop_back();
  EXPECT_EQ(NoticeSummary(notice), "a b");
}

TEST(CutText, CutsOnCharactersAndMendsBytes) {
  EXPECT_EQ(CutText("caf\xc3\xa9", 4), "caf");
  EXPECT_EQ(CutText("a\x80z", 10), "a\xef\xbf\xbdz");
  EXPECT_EQ(CutText("\xed\xa0\x80", 3), "\xef\xbf\xbd");
}

}  // namespace
}  // namespace atalaya::alertd
