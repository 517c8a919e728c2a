#pragma once

#include <functional>

#include "alertd/api/api.h"
#include "alertd/api/params.h"
#include "base/http_server.h"

namespace atalaya::alertd {

inline constexpr std::int64_t kMaxPoints =
    11'000;  // Of one series in a range query, as Prometheus.

// What every handler is given. Lives as long as the request.
struct ApiContext {
  const ApiOptions& options;
  const Refusals& refusals;
  bool stopping;
  const std::function<bool()>& cancelled;  // The program is stopping, or the client has left.
  const Params& params;
};

// prometheus_query.cc
HttpResponse AnswerQuery(const ApiContext& context);
HttpResponse AnswerQueryRange(const ApiContext& context);

// prometheus_lookup.cc
HttpResponse AnswerSeries(const ApiContext& context);
HttpResponse AnswerLabels(const ApiContext& context);
HttpResponse AnswerLabelValues(const ApiContext& context, std::string_view name);
HttpResponse AnswerMetadata(const ApiContext& context);
HttpResponse AnswerBuildInfo(const ApiContext& context);

// prometheus_state.cc
HttpResponse AnswerRules(const ApiContext& context);
HttpResponse AnswerAlerts(const ApiContext& context);
HttpResponse AnswerTargets(const ApiContext& context);

// alertmanager.cc: all below kAlertmanagerPrefix, with its methods.
inline constexpr std::string_view kAlertmanagerPrefix = "/api/v2/";
HttpResponse AnswerAlertmanager(const ApiContext& context, const HttpRequest& request);

// atalaya_status.cc, atalaya_notices.cc, atalaya_rules.cc
HttpResponse AnswerStatus(const ApiContext& context);
HttpResponse AnswerNotices(const ApiContext& context);
HttpResponse AnswerRuns(const ApiContext& context);
HttpResponse AnswerShownRules(const ApiContext& context);

// metrics_page.cc
HttpResponse AnswerMetrics(const ApiContext& context, const std::string& accept);

}  // namespace atalaya::alertd
