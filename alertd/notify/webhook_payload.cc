#include "alertd/notify/webhook_payload.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"

namespace atalaya::alertd {
namespace {

using nlohmann::ordered_json;

// The zero time of Go, which Alertmanager sends as the end of what has not ended.
constexpr std::string_view kNoTime = "0001-01-01T00:00:00Z";

ordered_json LabelsObject(const telemetry::Labels& labels) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : labels) object[name] = value;
  return object;
}

ordered_json AnnotationsObject(const std::map<std::string, std::string>& annotations) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, value] : annotations) object[name] = value;
  return object;
}

ordered_json AlertObject(const NoticeAlert& alert, std::string_view external_url) {
  ordered_json object;
  object["status"] = alert.firing ? "firing" : "resolved";
  object["labels"] = LabelsObject(alert.labels);
  object["annotations"] = AnnotationsObject(alert.annotations);
  object["startsAt"] = FormatRfc3339(alert.starts_ms);
  object["endsAt"] = alert.firing ? std::string(kNoTime) : FormatRfc3339(alert.ends_ms);
  object["generatorURL"] =
      alert.generator_url.empty() ? external_url : std::string_view(alert.generator_url);
  object["fingerprint"] = fmt::format("{:016x}", alert.fingerprint);
  return object;
}

}  // namespace

std::string RenderWebhookPayload(const Notice& notice, std::string_view external_url) {
  ordered_json payload;
  payload["receiver"] = notice.receiver;
  payload["status"] = NoticeStatus(notice);
  ordered_json& alerts = payload["alerts"] = ordered_json::array();
  for (const NoticeAlert& alert : notice.alerts) alerts.push_back(AlertObject(alert, external_url));
  payload["groupLabels"] = LabelsObject(notice.group_labels);
  payload["commonLabels"] = LabelsObject(CommonLabels(notice));
  payload["commonAnnotations"] = AnnotationsObject(CommonAnnotations(notice));
  payload["externalURL"] = external_url;
  payload["version"] = "4";
  payload["groupKey"] = notice.group_key;
  payload["truncatedAlerts"] = notice.truncated;
  if (!notice.undelivered.empty()) payload["undelivered"] = notice.undelivered;
  return payload.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace atalaya::alertd
