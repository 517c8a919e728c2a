#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "alertd/notify/notice.h"
#include "alertd/notify/receiver_config.h"

namespace atalaya::alertd {

// What a webhook is sent of a notice.
struct WebhookContent {
  std::string type;  // Content-Type.
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // Besides it.
  std::string error;  // Of the template: then `body` is the plain text and this error; "" is well.
};

// `notice` in the format that `config` asks for. `external_url` is where people open the page.
WebhookContent RenderWebhook(const WebhookConfig& config, const Notice& notice,
                             std::string_view external_url);

// A message for an incoming webhook of Slack, and of what takes the same (Mattermost, Rocket.Chat):
// a coloured attachment with an alert on each line.
// Source: Slack's reference of message attachments and of escaping.
std::string RenderSlackPayload(const Notice& notice, std::string_view external_url);

// A message for a topic of ntfy: the text as body, title, priority, tags and link as headers.
// Source: ntfy's documentation, "Publishing".
WebhookContent RenderNtfyMessage(const Notice& notice, std::string_view external_url);

// What `body` makes of the notice: Alertmanager's template data, with Value and RFC 3339 times for
// each alert. kInvalid or kLimit where the template fails.
Result<std::string> RenderTemplate(const TextTemplate& body, const Notice& notice,
                                   std::string_view external_url);

}  // namespace atalaya::alertd
