#include "alertd/notify/webhook_content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "alertd/notify/notice_text.h"
#include "alertd/notify/tests/notify_bench.h"

namespace atalaya::alertd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

Notice FullAndRecovered() {
  Notice notice;
  notice.id = "msg_1";
  notice.receiver = "chat";
  notice.created_ms = kStartMs;
  Alert full = FiringAlert("DiskSpaceLow", "tower");
  full.annotations["summary"] = "<!here> /srv & more";
  notice.alerts = {
      MakeNoticeAlert(full),
      MakeNoticeAlert(Resolved(FiringAlert("DiskSpaceLow", "roof"), kStartMs + 1'000))};
  notice.group_labels.Set("alertname", "DiskSpaceLow");
  return notice;
}

WebhookConfig WithTemplate(std::string_view text, const std::string& type = "application/json") {
  WebhookConfig config;
  config.format = WebhookFormat::kTemplate;
  config.content_type = type;
  Result<TextTemplate> parsed = TextTemplate::Parse(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  config.body = std::move(*parsed);
  return config;
}

TEST(WebhookContent, SlackGetsAColouredAttachmentWithoutMentions) {
  WebhookConfig config;
  config.format = WebhookFormat::kSlack;
  const WebhookContent content = RenderWebhook(config, FullAndRecovered(), "http://tower:9480");
  const auto attachment = nlohmann::json::parse(content.body).at("attachments").at(0);
  EXPECT_EQ(attachment.at("color"), "danger");
  EXPECT_EQ(attachment.at("title"), "[FIRING:1] DiskSpaceLow");
  EXPECT_EQ(attachment.at("title_link"), "http://tower:9480");
  const std::string text = attachment.at("text");
  EXPECT_THAT(text, HasSubstr("&lt;!here&gt; /srv &amp; more (value 1)"));
  EXPECT_THAT(text, HasSubstr("Resolved at 2026-11-18T11:06:41.000Z: roof is down"));
}

TEST(WebhookContent, NtfyGetsTextWithTitlePriorityAndLink) {
  WebhookConfig config;
  config.format = WebhookFormat::kNtfy;
  Notice notice = FullAndRecovered();
  WebhookContent content = RenderWebhook(config, notice, "http://tower:9480");
  EXPECT_THAT(content.headers, Contains(Pair("Title", "[FIRING:1] DiskSpaceLow")));
  EXPECT_THAT(content.headers, Contains(Pair("Priority", "5")));
  EXPECT_THAT(content.headers, Contains(Pair("Tags", "rotating_light")));
  EXPECT_THAT(content.headers, Contains(Pair("Click", "http://tower:9480")));
  EXPECT_THAT(content.body, HasSubstr("<!here> /srv & more"));
  notice.alerts.erase(notice.alerts.begin());
  content = RenderWebhook(config, notice, "");
  EXPECT_THAT(content.headers, Contains(Pair("Title", "[RESOLVED] DiskSpaceLow")));
  EXPECT_THAT(content.headers, Contains(Pair("Priority", "3")));
}

TEST(WebhookContent, AHostileNameAddsNoHeader) {
  WebhookConfig config;
  config.format = WebhookFormat::kNtfy;
  Notice notice = FullAndRecovered();
  for (NoticeAlert& alert : notice.alerts) alert.labels.Set("alertname", "x\r\nActions: view\xff");
  for (const auto& [name, value] : RenderWebhook(config, notice, "").headers)
    EXPECT_EQ(value.find_first_of("\r\n"), std::string::npos) << name << ": " << value;
}

TEST(WebhookContent, ATemplateSpeaksOfTheNoticeAsAlertmanagersDo) {
  const WebhookContent content = RenderWebhook(
      WithTemplate(R"({"n": {{ len .Alerts.Firing }}, "s": {{ .Status | toJson }}, "all": [)"
                   R"({{ range $i, $a := .Alerts }}{{ if $i }}, {{ end }})"
                   R"({{ $a.Annotations.summary | toJson }}{{ end }}], )"
                   R"("common": {{ .CommonLabels | toJson }}, "to": "{{ .Receiver }}"})"),
      FullAndRecovered(), "http://tower:9480");
  EXPECT_EQ(content.error, "");
  EXPECT_EQ(nlohmann::json::parse(content.body), nlohmann::json::parse(R"({"n": 1, "s": "firing",
                "all": ["<!here> /srv & more", "roof is down"],
                "common": {"alertname": "DiskSpaceLow", "severity": "critical"}, "to": "chat"})"));
}

TEST(WebhookContent, AFailedTemplateGivesThePlainTextAndItsError) {
  const std::string_view fails = "{{ .Alerts.First }}";
  const WebhookContent text = RenderWebhook(WithTemplate(fails, "text/plain"), FullAndRecovered(), "");
  EXPECT_THAT(text.body, HasSubstr("[FIRING:1] DiskSpaceLow\nFiring since"));
  EXPECT_THAT(text.body, HasSubstr("failed: there is no .First here"));
  EXPECT_EQ(text.error, "there is no .First here");
  const WebhookContent json = RenderWebhook(WithTemplate(fails), FullAndRecovered(), "");
  EXPECT_EQ(nlohmann::json::parse(json.body).at("error"), "there is no .First here");
}

TEST(NoticeText, CountsWhatAMessageLeavesOut) {
  Notice notice = FullAndRecovered();
  notice.alerts.resize(kMaxAlertsInMessage + 3, notice.alerts[0]);
  notice.truncated = 4;
  EXPECT_THAT(PlainText(notice), HasSubstr("... and 7 more.\n"));
}

}  // namespace
}  // namespace atalaya::alertd
