#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

#include "alertd/api/params.h"
#include "alertd/notify/matcher.h"
#include "alertd/notify/posted_alerts.h"
#include "alertd/notify/silence.h"
#include "base/result.h"

namespace atalaya::alertd {

// What clients of Alertmanager's API v2 send. Each is kInvalid with what was expected where it is
// not that.

// `filter`: each a matcher such as alertname="Down", all of which must hold.
Result<Matchers> ReadFilters(const Params& params);

// One silence, as JSON; not checked further.
Result<Silence> ReadSilence(std::string_view body);

// A list of alerts, as JSON; not checked further. One without an end ends after `resolve_timeout`,
// one without a beginning begins now.
Result<std::vector<PostedAlert>> ReadPostedAlerts(std::string_view body, std::int64_t now_ms,
                                                  std::chrono::milliseconds resolve_timeout);

}  // namespace atalaya::alertd
