#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alertd/api/json_writer.h"
#include "base/http_server.h"
#include "base/result.h"

namespace atalaya::alertd {

// The shapes that answers have, after the "Format overview" of Prometheus's HTTP API.

// A writer that stands behind `{"status":"success","data":`.
JsonWriter BeginSuccess();
HttpResponse EndSuccess(JsonWriter json, const std::vector<std::string>& warnings = {},
                        const std::vector<std::string>& infos = {});

HttpResponse ErrorAnswer(int status, std::string_view type, std::string_view message);
HttpResponse BadData(const Error& error);    // 400: what was asked is wrong.
HttpResponse Execution(const Error& error);  // By its code: 422, or 503 for time and stop.

// Names, sorted: `data` is an array of strings; at most `limit` of them unless it is 0.
HttpResponse StringList(const std::vector<std::string>& values, std::size_t limit);

HttpResponse PlainText(int status, std::string text);

}  // namespace atalaya::alertd
