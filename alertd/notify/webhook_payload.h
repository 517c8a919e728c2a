#pragma once

#include <string>
#include <string_view>

#include "alertd/notify/notice.h"

namespace atalaya::alertd {

// `notice` as the JSON body that Alertmanager sends to a webhook: version 4, with its field names,
// order and time format; a fallback's has `undelivered` besides. `external_url` is where people
// open the page. Source: the Alertmanager configuration documentation, <webhook_config>.
std::string RenderWebhookPayload(const Notice& notice, std::string_view external_url);

}  // namespace atalaya::alertd
