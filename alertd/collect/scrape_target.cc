#include "alertd/collect/scrape_target.h"

#include <algorithm>

#include "base/duration.h"
#include "promql/parser.h"
#include "telemetry/utf8.h"

namespace atalaya::alertd {
namespace {

constexpr std::string_view kParam = "__param_";

// RFC 3986, section 2.3, but that a blank becomes "+" as in forms.
std::string EncodeForm(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      encoded += c;
    } else if (c == ' ') {
      encoded += '+';
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string UrlOf(const LabelMap& labels) {
  std::string url = fmt::format("{}://{}{}", labels.at("__scheme__"), labels.at("__address__"),
                                labels.at("__metrics_path__"));
  char separator = '?';
  for (const auto& [name, value] : labels) {
    if (!name.starts_with(kParam)) continue;
    url += fmt::format("{}{}={}", separator, EncodeForm(name.substr(kParam.size())),
                       EncodeForm(value));
    separator = '&';
  }
  return url;
}

Status CheckLabels(const LabelMap& labels) {
  for (const auto& [name, value] : labels) {
    if (!promql::IsBareLabelName(name) && !name.starts_with(kParam))
      return Fail(ErrorCode::kInvalid, "\"{}\" is no label name", name);
    if (!telemetry::IsUtf8(value))
      return Fail(ErrorCode::kInvalid, "the label {} is not UTF-8", name);
  }
  const std::string& scheme = labels.at("__scheme__");
  if (scheme != "http" && scheme != "https")
    return Fail(ErrorCode::kInvalid, "__scheme__ is \"{}\", neither http nor https", scheme);
  if (!labels.at("__metrics_path__").starts_with('/'))
    return Fail(ErrorCode::kInvalid, "__metrics_path__ must begin with \"/\"");
  return {};
}

// Those of the configuration were checked with it.
Status ReadOwnTimes(const LabelMap& own, ScrapeTarget& target) {
  const std::pair<std::string_view, std::chrono::milliseconds*> times[] = {
      {"__scrape_interval__", &target.interval}, {"__scrape_timeout__", &target.timeout}};
  bool any = false;
  for (const auto& [name, time] : times) {
    const auto text = own.find(std::string(name));
    if (text == own.end()) continue;
    const Result<std::chrono::milliseconds> parsed = ParseDuration(text->second);
    if (!parsed) return Fail(ErrorCode::kInvalid, "{}: {}", name, parsed.error().message);
    *time = *parsed;
    any = true;
  }
  if (!any) return {};
  if (target.interval < kMinInterval || target.interval > kMaxInterval)
    return Fail(ErrorCode::kInvalid, "__scrape_interval__ is out of range (100ms to 1d)");
  if (target.timeout.count() <= 0 || target.timeout > target.interval)
    return Fail(ErrorCode::kInvalid,
                "__scrape_timeout__ must be above 0 and no longer than the interval");
  return {};
}

}  // namespace

Result<ScrapeTarget> MakeScrapeTarget(const ScrapeConfig& config, const std::string& address,
                                      const LabelMap& own) {
  std::string_view host_port = address;
  std::string_view scheme = config.scheme;
  for (const std::string_view prefix : {"http://", "https://"}) {
    if (!host_port.starts_with(prefix)) continue;
    host_port.remove_prefix(prefix.size());
    scheme = prefix.substr(0, prefix.find(':'));
  }
  if (const Result<HostPort> parsed = ParseHostPort(host_port); !parsed)
    return Forward(parsed.error());
  LabelMap all = own;
  all.insert(config.labels.begin(), config.labels.end());
  all["__address__"] = host_port;
  all.try_emplace("__scheme__", scheme);
  all.try_emplace("__metrics_path__", config.path);
  all.try_emplace("__scrape_interval__", FormatDuration(config.interval));
  all.try_emplace("__scrape_timeout__", FormatDuration(config.timeout));
  all.try_emplace("job", config.job);
  for (const auto& [name, value] : config.params)
    all.try_emplace(fmt::format("{}{}", kParam, name), value);
  ScrapeTarget target;
  if (Status good = CheckLabels(all); !good) return Forward(good.error());
  target.interval = config.interval;
  target.timeout = config.timeout;
  if (Status good = ReadOwnTimes(own, target); !good) return Forward(good.error());
  target.url = UrlOf(all);
  std::vector<telemetry::Labels::Pair> kept;
  for (const auto& [name, value] : all) {
    if (!name.starts_with("__")) kept.emplace_back(name, value);
  }
  target.labels = telemetry::Labels(std::move(kept));
  if (!target.labels.Has("instance")) target.labels.Set("instance", host_port);
  target.discovered = std::move(all);
  return target;
}

}  // namespace atalaya::alertd
