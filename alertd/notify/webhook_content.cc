#include "alertd/notify/webhook_content.h"

#include <nlohmann/json.hpp>

#include "alertd/notify/notice_text.h"
#include "alertd/notify/webhook_payload.h"

namespace atalaya::alertd {
namespace {

// In place of what a template could not make: a receiver of JSON gets JSON.
WebhookContent Instead(const std::string& type, const Notice& notice, const std::string& error) {
  const std::string text = fmt::format("{}\n{}The template of this notice failed: {}\n",
                                       NoticeTitle(notice), PlainText(notice), error);
  if (!type.starts_with("application/json")) return {"text/plain; charset=utf-8", text, {}, error};
  const nlohmann::ordered_json object{{"text", text}, {"error", error}};
  return {type,
          object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace),
          {},
          error};
}

}  // namespace

WebhookContent RenderWebhook(const WebhookConfig& config, const Notice& notice,
                             std::string_view external_url) {
  switch (config.format) {
    case WebhookFormat::kAlertmanager:
      break;
    case WebhookFormat::kSlack:
      return {"application/json", RenderSlackPayload(notice, external_url), {}, {}};
    case WebhookFormat::kNtfy:
      return RenderNtfyMessage(notice, external_url);
    case WebhookFormat::kTemplate: {
      Result<std::string> body = RenderTemplate(*config.body, notice, external_url);
      if (!body) return Instead(config.content_type, notice, body.error().message);
      return {config.content_type, std::move(*body), {}, {}};
    }
  }
  return {"application/json", RenderWebhookPayload(notice, external_url), {}, {}};
}

}  // namespace atalaya::alertd
