// /api/v1/query and /api/v1/query_range.

#include <algorithm>
#include <variant>

#include "alertd/api/answer.h"
#include "alertd/api/handlers.h"
#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

using telemetry::LabelledSample;
using telemetry::Sample;
using telemetry::SeriesSamples;

void WriteVector(JsonWriter& json, const std::vector<LabelledSample>& vector, std::size_t limit) {
  json.Field("resultType", "vector").Key("result").BeginArray();
  for (std::size_t i = 0; i < vector.size() && (limit == 0 || i < limit); ++i) {
    json.BeginObject().Key("metric").Labels(vector[i].labels).Key("value");
    json.Point(vector[i].sample).EndObject();
  }
  json.EndArray();
}

constexpr std::size_t kUsualPointBytes = 36;

void WriteMatrix(JsonWriter& json, const std::vector<SeriesSamples>& matrix, std::size_t limit) {
  std::size_t points = 0;
  for (const SeriesSamples& series : matrix) points += series.samples.size();
  json.Reserve(points * kUsualPointBytes);
  json.Field("resultType", "matrix").Key("result").BeginArray();
  for (std::size_t i = 0; i < matrix.size() && (limit == 0 || i < limit); ++i) {
    json.BeginObject().Key("metric").Labels(matrix[i].labels).Key("values");
    json.Points(matrix[i].samples).EndObject();
  }
  json.EndArray();
}

// How many series a value has.
std::size_t SeriesCount(const promql::Value& value) {
  if (const auto* vector = std::get_if<std::vector<LabelledSample>>(&value)) return vector->size();
  if (const auto* matrix = std::get_if<std::vector<SeriesSamples>>(&value)) return matrix->size();
  return 1;
}

// What both kinds of query take besides the expression and its times.
struct Asked {
  promql::QueryOptions options;
  std::size_t limit = 0;
  bool stats = false;
  std::int64_t began_ns = 0;
};

Result<Asked> ReadAsked(const ApiContext& context) {
  const Params& params = context.params;
  Asked asked;
  const auto limit = params.Limit();
  if (!limit) return Forward(limit.error());
  asked.limit = *limit;
  const auto lookback_ms = params.Duration("lookback_delta");
  if (!lookback_ms) return Forward(lookback_ms.error());
  asked.options.lookback_ms = *lookback_ms;
  const auto timeout_ms = params.Duration("timeout");
  if (!timeout_ms) return Forward(timeout_ms.error());
  if (*timeout_ms) asked.options.timeout = std::chrono::milliseconds(**timeout_ms);
  asked.options.cancelled = context.cancelled;
  asked.stats = !params.Text("stats").empty();
  asked.began_ns = context.options.clock->SteadyNs();
  return asked;
}

// Those of Prometheus's statistics that are measured here.
void WriteStats(JsonWriter& json, const promql::QueryResult& result, double seconds) {
  json.Key("stats").BeginObject();
  json.Key("timings").BeginObject().Key("execTotalTime").Number(seconds).EndObject();
  json.Key("samples")
      .BeginObject()
      .Key("totalQueryableSamples")
      .Integer(result.samples)
      .EndObject();
  json.EndObject();
}

HttpResponse Answer(const ApiContext& context, const Asked& asked,
                    const promql::QueryResult& result, std::int64_t time_ms) {
  const std::size_t limit = asked.limit;
  JsonWriter json = BeginSuccess();
  json.BeginObject();
  if (const auto* scalar = std::get_if<Sample>(&result.value)) {
    json.Field("resultType", "scalar").Key("result");
    json.Point(*scalar);
  } else if (const auto* text = std::get_if<std::string>(&result.value)) {
    json.Field("resultType", "string").Key("result");
    json.BeginArray().Time(time_ms).String(*text).EndArray();
  } else if (const auto* vector = std::get_if<std::vector<LabelledSample>>(&result.value)) {
    WriteVector(json, *vector, limit);
  } else {
    WriteMatrix(json, std::get<std::vector<SeriesSamples>>(result.value), limit);
  }
  if (asked.stats) {
    const std::int64_t took_ns = context.options.clock->SteadyNs() - asked.began_ns;
    WriteStats(json, result, static_cast<double>(took_ns) / 1e9);
  }
  json.EndObject();
  std::vector<std::string> warnings = result.warnings;
  if (limit != 0 && SeriesCount(result.value) > limit) {
    warnings.emplace_back("results truncated due to limit");
  }
  return EndSuccess(std::move(json), warnings, result.infos);
}

HttpResponse EvaluationFailed(const ApiContext& context, const Error& error) {
  if (context.stopping) return ErrorAnswer(503, "canceled", "cloud_alertd is stopping");
  if (context.cancelled()) return ErrorAnswer(503, "canceled", error.message);
  return Execution(error);
}

Result<promql::ExprPtr> ParseQuery(const ApiContext& context) {
  Result<promql::ExprPtr> expr = promql::Parse(context.params.Text("query"));
  if (!expr)
    return Fail(ErrorCode::kInvalid, "invalid parameter \"query\": {}", expr.error().message);
  return expr;
}

}  // namespace

HttpResponse AnswerQuery(const ApiContext& context) {
  const auto time_ms = context.params.Time("time", context.options.clock->NowMs());
  if (!time_ms) return BadData(time_ms.error());
  const auto asked = ReadAsked(context);
  if (!asked) return BadData(asked.error());
  const auto expr = ParseQuery(context);
  if (!expr) return BadData(expr.error());
  const auto result = context.options.engine->EvaluateInstant(*expr, *time_ms, asked->options);
  if (!result) return EvaluationFailed(context, result.error());
  return Answer(context, *asked, *result, *time_ms);
}

HttpResponse AnswerQueryRange(const ApiContext& context) {
  const auto from_ms = context.params.RequiredTime("start");
  if (!from_ms) return BadData(from_ms.error());
  const auto to_ms = context.params.RequiredTime("end");
  if (!to_ms) return BadData(to_ms.error());
  const auto step_ms = context.params.RequiredDuration("step");
  if (!step_ms) return BadData(step_ms.error());
  const auto asked = ReadAsked(context);
  if (!asked) return BadData(asked.error());
  if (*to_ms < *from_ms) {
    return ErrorAnswer(400, "bad_data", "invalid parameter \"end\": it lies before \"start\"");
  }
  if ((*to_ms - *from_ms) / *step_ms > kMaxPoints) {
    return ErrorAnswer(
        400, "bad_data",
        fmt::format("invalid parameter \"step\": it makes more than {} points per series; "
                    "take a longer step or a shorter range",
                    kMaxPoints));
  }
  const auto expr = ParseQuery(context);
  if (!expr) return BadData(expr.error());
  const promql::ValueType type = (*expr)->type;
  if (type != promql::ValueType::kScalar && type != promql::ValueType::kVector) {
    return ErrorAnswer(
        400, "bad_data",
        fmt::format("invalid parameter \"query\": a range query takes a scalar or an "
                    "instant vector, and this is a {}",
                    promql::TypeName(type)));
  }
  const auto result =
      context.options.engine->EvaluateRange(*expr, *from_ms, *to_ms, *step_ms, asked->options);
  if (!result) return EvaluationFailed(context, result.error());
  return Answer(context, *asked, *result, *to_ms);
}

}  // namespace atalaya::alertd
