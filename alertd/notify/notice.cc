#include "alertd/notify/notice.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

namespace atalaya::alertd {
namespace {

using nlohmann::json;

constexpr int kContentVersion = 1;

telemetry::Labels CutLabels(const telemetry::Labels& labels) {
  std::vector<telemetry::Labels::Pair> pairs;
  for (const auto& [name, value] : labels) {
    if (pairs.size() == kMaxPairsPerAlert) break;
    pairs.emplace_back(CutText(name, kMaxLabelBytes), CutText(value, kMaxLabelBytes));
  }
  return telemetry::Labels(std::move(pairs));
}

std::map<std::string, std::string> CutAnnotations(const std::map<std::string, std::string>& all) {
  std::map<std::string, std::string> cut;
  for (const auto& [name, value] : all) {
    if (cut.size() == kMaxPairsPerAlert) break;
    cut.emplace(CutText(name, kMaxLabelBytes), CutText(value, kMaxAnnotationBytes));
  }
  return cut;
}

json LabelsToJson(const telemetry::Labels& labels) {
  json object = json::object();
  for (const auto& [name, value] : labels) object[name] = value;
  return object;
}

telemetry::Labels LabelsFromJson(const json& object) {
  std::vector<telemetry::Labels::Pair> pairs;
  for (const auto& [name, value] : object.items())
    pairs.emplace_back(name, value.get<std::string>());
  return telemetry::Labels(std::move(pairs));
}

json AlertToJson(const NoticeAlert& alert) {
  return {{"fingerprint", alert.fingerprint},
          {"labels", LabelsToJson(alert.labels)},
          {"annotations", alert.annotations},
          {"firing", alert.firing},
          {"starts_ms", alert.starts_ms},
          {"ends_ms", alert.ends_ms},
          {"generator_url", alert.generator_url},
          {"value", fmt::format("{}", alert.value)}};  // JSON has no NaN.
}

NoticeAlert AlertFromJson(const json& object) {
  NoticeAlert alert;
  object.at("fingerprint").get_to(alert.fingerprint);
  alert.labels = LabelsFromJson(object.at("labels"));
  object.at("annotations").get_to(alert.annotations);
  object.at("firing").get_to(alert.firing);
  object.at("starts_ms").get_to(alert.starts_ms);
  object.at("ends_ms").get_to(alert.ends_ms);
  alert.generator_url = object.value("generator_url", "");  // Older rows have none.
  const std::string value = object.at("value").get<std::string>();
  std::from_chars(value.data(), value.data() + value.size(), alert.value);
  return alert;
}

Notice NoticeFromJson(const json& object) {
  Notice notice;
  object.at("id").get_to(notice.id);
  object.at("thread_id").get_to(notice.thread_id);
  object.at("receiver").get_to(notice.receiver);
  object.at("group_key").get_to(notice.group_key);
  notice.group_labels = LabelsFromJson(object.at("group_labels"));
  for (const json& alert : object.at("alerts")) notice.alerts.push_back(AlertFromJson(alert));
  object.at("truncated").get_to(notice.truncated);
  object.at("created_ms").get_to(notice.created_ms);
  notice.undelivered = object.value("undelivered", "");
  return notice;
}

}  // namespace

bool Notice::firing() const { return FiringCount() > 0; }

std::size_t Notice::FiringCount() const {
  return static_cast<std::size_t>(std::count_if(
      alerts.begin(), alerts.end(), [](const NoticeAlert& alert) { return alert.firing; }));
}

std::string_view NoticeStatus(const Notice& notice) {
  return notice.firing() ? "firing" : "resolved";
}

NoticeAlert MakeNoticeAlert(const Alert& alert) {
  NoticeAlert told;
  told.fingerprint = alert.Fingerprint();
  told.labels = CutLabels(alert.labels);
  told.annotations = CutAnnotations(alert.annotations);
  told.firing = alert.state == AlertState::kFiring;
  told.starts_ms = alert.fired_at_ms;
  told.ends_ms = told.firing ? 0 : alert.resolved_at_ms;
  told.value = alert.value;
  told.generator_url = CutText(alert.generator_url, kMaxAnnotationBytes);
  return told;
}

void ArrangeAlerts(Notice& notice) {
  std::sort(notice.alerts.begin(), notice.alerts.end(),
            [](const NoticeAlert& a, const NoticeAlert& b) {
              return std::tie(b.firing, a.starts_ms, a.labels) <
                     std::tie(a.firing, b.starts_ms, b.labels);
            });
  if (notice.alerts.size() <= kMaxAlertsPerNotice) return;
  notice.truncated += notice.alerts.size() - kMaxAlertsPerNotice;
  notice.alerts.resize(kMaxAlertsPerNotice);
}

void MergeInto(Notice& newer, const Notice& older) {
  std::set<std::pair<std::uint64_t, std::int64_t>> told;
  for (const NoticeAlert& alert : newer.alerts) told.emplace(alert.fingerprint, alert.starts_ms);
  for (const NoticeAlert& alert : older.alerts) {
    if (told.emplace(alert.fingerprint, alert.starts_ms).second) newer.alerts.push_back(alert);
  }
  newer.truncated += older.truncated;
  ArrangeAlerts(newer);
}

telemetry::Labels CommonLabels(const Notice& notice) {
  if (notice.alerts.empty()) return {};
  telemetry::Labels common = notice.alerts.front().labels;
  for (const NoticeAlert& alert : notice.alerts) {
    for (const auto& [name, value] : telemetry::Labels(common)) {
      if (alert.labels.Get(name) != value) common.Remove(name);
    }
  }
  return common;
}

std::map<std::string, std::string> CommonAnnotations(const Notice& notice) {
  if (notice.alerts.empty()) return {};
  std::map<std::string, std::string> common = notice.alerts.front().annotations;
  for (const NoticeAlert& alert : notice.alerts) {
    std::erase_if(common, [&alert](const auto& pair) {
      const auto it = alert.annotations.find(pair.first);
      return it == alert.annotations.end() || it->second != pair.second;
    });
  }
  return common;
}

std::string GroupName(const Notice& notice) {
  const std::string_view alertname = notice.group_labels.Get("alertname");
  if (!alertname.empty()) return std::string(alertname);
  return notice.group_labels.empty() ? "alerts" : notice.group_labels.ToString();
}

std::string NoticeSummary(const Notice& notice) {
  if (notice.alerts.empty()) return "";
  const NoticeAlert& first = notice.alerts.front();
  const auto it = first.annotations.find("summary");
  const std::string text = OneLine(
      it != first.annotations.end() && !it->second.empty() ? it->second : first.labels.ToString());
  const std::size_t others = notice.alerts.size() - 1 + notice.truncated;
  if (others == 0) return CutText(text, kMaxSummaryBytes);
  const std::string more = fmt::format(" (and {} more)", others);
  return CutText(text, kMaxSummaryBytes - more.size()) + more;
}

std::string EncodeNotice(const Notice& notice) {
  json object = {
      {"version", kContentVersion},    {"id", notice.id},
      {"thread_id", notice.thread_id}, {"receiver", notice.receiver},
      {"group_key", notice.group_key}, {"group_labels", LabelsToJson(notice.group_labels)},
      {"truncated", notice.truncated}, {"created_ms", notice.created_ms}};
  json& alerts = object["alerts"] = json::array();
  for (const NoticeAlert& alert : notice.alerts) alerts.push_back(AlertToJson(alert));
  if (!notice.undelivered.empty()) object["undelivered"] = notice.undelivered;
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Notice> DecodeNotice(std::string_view encoded) {
  try {
    const json object = json::parse(encoded);
    if (const int version = object.at("version").get<int>(); version > kContentVersion)
      return Fail(ErrorCode::kVersion, "outbox: content version {} is newer than this program's {}",
                  version, kContentVersion);
    return NoticeFromJson(object);
  } catch (const json::exception& error) {
    return Fail(ErrorCode::kInvalid, "outbox: content is not a notice: {}", error.what());
  }
}

std::string EncodeNoticeAlert(const NoticeAlert& alert) {
  return AlertToJson(alert).dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<NoticeAlert> DecodeNoticeAlert(std::string_view encoded) {
  try {
    return AlertFromJson(json::parse(encoded));
  } catch (const json::exception& error) {
    return Fail(ErrorCode::kInvalid, "notified: not an alert: {}", error.what());
  }
}

std::string EncodeLabels(const telemetry::Labels& labels) {
  return LabelsToJson(labels).dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<telemetry::Labels> DecodeLabels(std::string_view encoded) {
  try {
    return LabelsFromJson(json::parse(encoded));
  } catch (const json::exception& error) {
    return Fail(ErrorCode::kInvalid, "state.db: no labels: {}", error.what());
  }
}

}  // namespace atalaya::alertd
