#include "alertd/notify/notice_text.h"

#include <algorithm>

#include "base/clock.h"

namespace atalaya::alertd {
namespace {

std::string_view Annotation(const NoticeAlert& alert, const std::string& name) {
  const auto found = alert.annotations.find(name);
  return found == alert.annotations.end() ? std::string_view() : found->second;
}

}  // namespace

std::string NoticeName(const Notice& notice) {
  const telemetry::Labels common = CommonLabels(notice);
  const std::string_view name = common.Get("alertname");
  return name.empty() ? fmt::format("{} alerts", notice.alerts.size()) : OneLine(name);
}

std::string NoticeTitle(const Notice& notice) {
  const std::size_t firing = notice.FiringCount();
  return firing == 0 ? fmt::format("[RESOLVED] {}", NoticeName(notice))
                     : fmt::format("[FIRING:{}] {}", firing, NoticeName(notice));
}

std::string AlertLine(const NoticeAlert& alert) {
  const std::string when = alert.firing
                               ? fmt::format("Firing since {}", FormatRfc3339(alert.starts_ms))
                               : fmt::format("Resolved at {}", FormatRfc3339(alert.ends_ms));
  std::string what(Annotation(alert, "summary"));
  if (what.empty()) what = alert.labels.ToString();
  return OneLine(fmt::format("{}: {} (value {})", when, what, alert.value));
}

std::size_t LeftOutOfMessage(const Notice& notice) {
  return notice.alerts.size() - std::min(notice.alerts.size(), kMaxAlertsInMessage) +
         notice.truncated;
}

std::string PlainText(const Notice& notice) {
  std::string text;
  for (std::size_t i = 0; i < std::min(notice.alerts.size(), kMaxAlertsInMessage); ++i)
    text += AlertLine(notice.alerts[i]) + "\n";
  if (const std::size_t left_out = LeftOutOfMessage(notice); left_out > 0)
    text += fmt::format("... and {} more.\n", left_out);
  if (!notice.undelivered.empty())
    text += fmt::format("Not delivered to {}\n", OneLine(notice.undelivered));
  return text;
}

}  // namespace atalaya::alertd
