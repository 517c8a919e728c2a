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

// What scrapes say of types and help is not kept; an empty object is a whole answer.
HttpResponse AnswerMetadata(const ApiContext&) {
  JsonWriter json = BeginSuccess();
  json.BeginObject().EndObject();
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
