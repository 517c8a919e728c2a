// What there is to query: /api/v1/series, labels, label/NAME/values, metadata, status/buildinfo.

#include <algorithm>
#include <limits>

#include "alertd/api/answer.h"
#include "alertd/api/handlers.h"
#include "base/version.h"

namespace atalaya::alertd {
namespace {

// The release of Prometheus whose API this is; Grafana reads from it what it may ask for.
constexpr char kApiVersion[] = "3.0.0";

constexpr std::int64_t kFarMs = std::numeric_limits<std::int64_t>::max() / 2;

struct Lookup {
  history::Store::Selectors selectors;
  std::int64_t from_ms = -kFarMs;
  std::int64_t to_ms = kFarMs;
  std::size_t limit = 0;
};

Result<Lookup> ReadLookup(const Params& params) {
  auto selectors = params.Selectors();
  if (!selectors) return Forward(selectors.error());
  const auto from_ms = params.Time("start", -kFarMs);
  if (!from_ms) return Forward(from_ms.error());
  const auto to_ms = params.Time("end", kFarMs);
  if (!to_ms) return Forward(to_ms.error());
  if (*to_ms < *from_ms) {
    return Fail(ErrorCode::kInvalid, "invalid parameter \"end\": it lies before \"start\"");
  }
  const auto limit = params.Limit();
  if (!limit) return Forward(limit.error());
  return Lookup{std::move(*selectors), *from_ms, *to_ms, *limit};
}

void WriteMetadata(JsonWriter& json, const telemetry::FamilyMetadata& family) {
  json.BeginObject();
  json.Field("type", MetricTypeName(family.type, telemetry::TextFormat::kOpenMetrics));
  json.Field("help", family.help).Field("unit", family.unit).EndObject();
}

}  // namespace

HttpResponse AnswerSeries(const ApiContext& context) {
  const auto lookup = ReadLookup(context.params);
  if (!lookup) return BadData(lookup.error());
  if (lookup->selectors.empty()) {
    return ErrorAnswer(400, "bad_data", "invalid parameter \"match[]\": at least one is needed");
  }
  const auto found =
      context.options.store->Series(lookup->selectors, lookup->from_ms, lookup->to_ms);
  const std::size_t count =
      lookup->limit == 0 ? found.size() : std::min(lookup->limit, found.size());
  JsonWriter json = BeginSuccess();
  json.BeginArray();
  for (std::size_t i = 0; i < count; ++i) json.Labels(found[i]);
  json.EndArray();
  if (count == found.size()) return EndSuccess(std::move(json));
  return EndSuccess(std::move(json), {"results truncated due to limit"});
}

HttpResponse AnswerLabels(const ApiContext& context) {
  const auto lookup = ReadLookup(context.params);
  if (!lookup) return BadData(lookup.error());
  return StringList(
      context.options.store->LabelNames(lookup->selectors, lookup->from_ms, lookup->to_ms),
      lookup->limit);
}

HttpResponse AnswerLabelValues(const ApiContext& context, std::string_view name) {
  if (name.empty()) return ErrorAnswer(400, "bad_data", "a label's name cannot be empty");
  const auto lookup = ReadLookup(context.params);
  if (!lookup) return BadData(lookup.error());
  return StringList(
      context.options.store->LabelValues(name, lookup->selectors, lookup->from_ms, lookup->to_ms),
      lookup->limit);
}

// As in Prometheus a `limit` of 0 leaves nothing, a `limit_per_metric` of 0 everything.
HttpResponse AnswerMetadata(const ApiContext& context) {
  const std::string metric = context.params.Text("metric");
  const auto limit = context.params.Count("limit");
  if (!limit) return BadData(limit.error());
  const auto per_metric = context.params.Count("limit_per_metric");
  if (!per_metric) return BadData(per_metric.error());
  std::vector<telemetry::FamilyMetadata> families;
  if (context.options.metadata) families = context.options.metadata();
  JsonWriter json = BeginSuccess();
  json.BeginObject();
  std::size_t metrics = 0;
  for (auto next = families.begin(); next != families.end();) {
    const auto first = next;
    next =
        std::find_if(first, families.end(), [&](const auto& f) { return f.name != first->name; });
    if (!metric.empty() && metric != first->name) continue;
    if (*limit && ++metrics > **limit) break;
    json.Key(first->name).BeginArray();
    const auto count = static_cast<std::size_t>(next - first);
    const std::size_t shown = per_metric->value_or(0) == 0 ? count : std::min(count, **per_metric);
    for (std::size_t i = 0; i < shown; ++i)
      WriteMetadata(json, first[static_cast<std::ptrdiff_t>(i)]);
    json.EndArray();
  }
  json.EndObject();
  return EndSuccess(std::move(json));
}

HttpResponse AnswerBuildInfo(const ApiContext&) {
  JsonWriter json = BeginSuccess();
  json.BeginObject().Field("version", kApiVersion);
  json.Field("revision", std::string("cloud_alertd-") + kVersion);
  json.Field("branch", "").Field("buildUser", "").Field("buildDate", "").Field("goVersion", "");
  json.EndObject();
  return EndSuccess(std::move(json));
}

}  // namespace atalaya::alertd
