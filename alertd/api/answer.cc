#include "alertd/api/answer.h"

#include <algorithm>

namespace atalaya::alertd {
namespace {

constexpr char kJson[] = "application/json";

void WriteNotes(JsonWriter& json, std::string_view key, const std::vector<std::string>& notes) {
  if (notes.empty()) return;
  json.Key(key).BeginArray();
  for (const std::string& note : notes) json.String(note);
  json.EndArray();
}

}  // namespace

JsonWriter BeginSuccess() {
  JsonWriter json;
  json.BeginObject().Field("status", "success").Key("data");
  return json;
}

HttpResponse EndSuccess(JsonWriter json, const std::vector<std::string>& warnings,
                        const std::vector<std::string>& infos) {
  WriteNotes(json, "warnings", warnings);
  WriteNotes(json, "infos", infos);
  json.EndObject();
  return {200, kJson, json.Take(), {}};
}

HttpResponse ErrorAnswer(int status, std::string_view type, std::string_view message) {
  JsonWriter json;
  json.BeginObject().Field("status", "error").Field("errorType", type).Field("error", message);
  json.EndObject();
  return {status, kJson, json.Take(), {}};
}

HttpResponse BadData(const Error& error) { return ErrorAnswer(400, "bad_data", error.message); }

HttpResponse Execution(const Error& error) {
  switch (error.code) {
    case ErrorCode::kTimeout:
      return ErrorAnswer(503, "timeout", error.message);
    case ErrorCode::kIo:
    case ErrorCode::kBusy:
    case ErrorCode::kDamaged:
      return ErrorAnswer(500, "internal", error.message);
    default:
      return ErrorAnswer(422, "execution", error.message);
  }
}

HttpResponse StringList(const std::vector<std::string>& values, std::size_t limit) {
  const std::size_t count = limit == 0 ? values.size() : std::min(limit, values.size());
  JsonWriter json = BeginSuccess();
  json.BeginArray();
  for (std::size_t i = 0; i < count; ++i) json.String(values[i]);
  json.EndArray();
  if (count == values.size()) return EndSuccess(std::move(json));
  return EndSuccess(std::move(json), {"results truncated due to limit"});
}

HttpResponse PlainText(int status, std::string text) {
  return {status, "text/plain; charset=utf-8", std::move(text), {}};
}

}  // namespace atalaya::alertd
