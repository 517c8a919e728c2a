#include "alertd/notify/webhook_content.h"
#include "base/clock.h"

namespace atalaya::alertd {
namespace {

telemetry::Labels AsLabels(const std::map<std::string, std::string>& annotations) {
  return telemetry::Labels({annotations.begin(), annotations.end()});
}

TemplateValue Words(std::string_view text) { return {std::string(text)}; }

TemplateValue AlertValue(const NoticeAlert& alert, std::string_view external_url) {
  return {TemplateValue::Object{{"Status", Words(alert.firing ? "firing" : "resolved")},
                                {"Labels", {alert.labels}},
                                {"Annotations", {AsLabels(alert.annotations)}},
                                {"Value", {alert.value}},
                                {"StartsAt", Words(FormatRfc3339(alert.starts_ms))},
                                {"EndsAt", Words(alert.firing ? "" : FormatRfc3339(alert.ends_ms))},
                                {"GeneratorURL", Words(external_url)},
                                {"Fingerprint", Words(fmt::format("{:016x}", alert.fingerprint))}}};
}

}  // namespace

Result<std::string> RenderTemplate(const TextTemplate& body, const Notice& notice,
                                   std::string_view external_url) {
  TemplateValue::List alerts;
  for (const NoticeAlert& alert : notice.alerts) alerts.push_back(AlertValue(alert, external_url));
  return body.ExpandOver(
      {TemplateValue::Object{{"Receiver", Words(notice.receiver)},
                             {"Status", Words(NoticeStatus(notice))},
                             {"Alerts", {std::move(alerts)}},
                             {"GroupLabels", {notice.group_labels}},
                             {"CommonLabels", {CommonLabels(notice)}},
                             {"CommonAnnotations", {AsLabels(CommonAnnotations(notice))}},
                             {"ExternalURL", Words(external_url)},
                             {"TruncatedAlerts", {static_cast<double>(notice.truncated)}}}});
}

}  // namespace atalaya::alertd
