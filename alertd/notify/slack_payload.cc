#include <nlohmann/json.hpp>

#include "alertd/notify/notice_text.h"
#include "alertd/notify/webhook_content.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMaxSlackTextBytes = 30'000;  // Slack cuts a message at 40,000 characters.

// The three characters with which a label could become a link or a mention.
std::string EscapeSlack(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

std::string RenderSlackPayload(const Notice& notice, std::string_view external_url) {
  const std::string title = NoticeTitle(notice);
  nlohmann::ordered_json attachment{
      {"color", notice.firing() ? "danger" : "good"},
      {"title", EscapeSlack(title)},
      {"fallback", EscapeSlack(title)},
      {"text", CutText(EscapeSlack(PlainText(notice)), kMaxSlackTextBytes)},
      {"ts", notice.created_ms / 1000}};
  if (!external_url.empty()) attachment["title_link"] = external_url;
  const nlohmann::ordered_json message{{"attachments", {attachment}}};
  return message.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace atalaya::alertd
