#include "alertd/notify/mail.h"
#include "alertd/notify/notice_text.h"
#include "alertd/notify/webhook_content.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMaxNtfyTextBytes = 4'000;  // ntfy makes a file of more than 4,096.
constexpr std::size_t kMaxNtfyTitleBytes = 45;  // So that its encoded form is one word on one line.

// 1 to 5, of which 3 is ordinary.
std::string_view Priority(const Notice& notice) {
  if (!notice.firing()) return "3";
  const telemetry::Labels common = CommonLabels(notice);
  const std::string_view severity = common.Get("severity");
  if (severity == "info") return "3";
  return severity == "warning" ? "4" : "5";
}

}  // namespace

WebhookContent RenderNtfyMessage(const Notice& notice, std::string_view external_url) {
  WebhookContent content;
  content.type = "text/plain; charset=utf-8";
  content.body = CutText(PlainText(notice), kMaxNtfyTextBytes);
  content.headers = {{"Title", EncodeHeaderText(CutText(NoticeTitle(notice), kMaxNtfyTitleBytes))},
                     {"Priority", std::string(Priority(notice))},
                     {"Tags", notice.firing() ? "rotating_light" : "white_check_mark"}};
  if (!external_url.empty()) content.headers.emplace_back("Click", OneLine(external_url));
  return content;
}

}  // namespace atalaya::alertd
