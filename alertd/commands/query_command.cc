#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "alertd/commands/api_question.h"
#include "alertd/commands/commands.h"
#include "base/file.h"
#include "base/flags.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {
namespace {

using nlohmann::json;

struct QueryOptions {
  std::string url = "http://127.0.0.1:9480";
  std::string token_file;
  std::string time, start, end, step;
  std::string expr;
};

Result<QueryOptions> ParseQueryOptions(int argc, const char* const* argv) {
  QueryOptions options;
  Flags flags("cloud_alertd query",
              "Evaluates a PromQL expression in a running cloud_alertd (or Prometheus).");
  flags.Add("url", &options.url, "where its HTTP API is");
  flags.Add("token-file", &options.token_file, "file with the bearer token that the API asks for");
  flags.Add("time", &options.time, "when to evaluate, RFC 3339 or Unix seconds; default now");
  flags.Add("start", &options.start, "with --end and --step: a range query from here");
  flags.Add("end", &options.end, "the end of the range");
  flags.Add("step", &options.step, "from one point to the next, such as 30s");
  flags.AddPositional("EXPR", &options.expr, "the expression", true);
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  const int range = !options.start.empty() + !options.end.empty() + !options.step.empty();
  if (range != 0 && (range != 3 || !options.time.empty())) {
    return Fail(ErrorCode::kInvalid, "a range takes --start, --end and --step, and no --time");
  }
  return options;
}

// The `data` of the answer; warnings and infos go to stderr.
Result<json> Ask(const QueryOptions& options) {
  ApiServer server{options.url, ""};
  if (!options.token_file.empty()) {
    Result<std::string> token = ReadFile(options.token_file);
    if (!token) return Forward(token.error());
    while (!token->empty() && token->back() == '\n') token->pop_back();
    server.token = std::move(*token);
  }
  const std::string path = options.start.empty() ? "/api/v1/query" : "/api/v1/query_range";
  const Result<std::string> text = AskApi(server, path,
                                          {{"query", options.expr},
                                           {"time", options.time},
                                           {"start", options.start},
                                           {"end", options.end},
                                           {"step", options.step}});
  if (!text) return Forward(text.error());
  const json answer = json::parse(*text);
  for (const char* kind : {"warnings", "infos"}) {
    for (const json& note : answer.value(kind, json::array())) {
      std::fprintf(stderr, "%s\n", note.get<std::string>().c_str());
    }
  }
  return answer.at("data");
}

std::string LabelsText(const json& metric) {
  telemetry::Labels labels;
  for (const auto& [name, value] : metric.items()) labels.Set(name, value.get<std::string>());
  return labels.ToString();
}

std::string TimeText(const json& seconds) { return fmt::format("{:.3f}", seconds.get<double>()); }

void PrintPoint(const json& point) {
  std::printf("%s @[%s]\n", point.at(1).get<std::string>().c_str(), TimeText(point.at(0)).c_str());
}

void Print(const json& data) {
  const json& result = data.at("result");
  const auto type = data.at("resultType").get<std::string>();
  if (type == "scalar" || type == "string") return PrintPoint(result);
  for (const json& series : result) {
    std::printf("%s =>", LabelsText(series.at("metric")).c_str());
    if (type == "vector") {
      std::printf(" ");
      PrintPoint(series.at("value"));
      continue;
    }
    std::printf("\n");
    for (const json& point : series.at("values")) PrintPoint(point);
  }
}

}  // namespace

int RunQueryCommand(int argc, const char* const* argv) {
  const Result<QueryOptions> options = ParseQueryOptions(argc, argv);
  if (!options) {
    std::fprintf(stderr, "cloud_alertd: %s\n", options.error().message.c_str());
    return 2;
  }
  Result<json> data = Ask(*options);
  if (!data) {
    std::fprintf(stderr, "cloud_alertd: %s\n", data.error().message.c_str());
    return 1;
  }
  try {
    Print(*data);
  } catch (const json::exception& e) {
    std::fprintf(stderr, "cloud_alertd: the answer is not as Prometheus's API has it: %s\n",
                 e.what());
    return 1;
  }
  return 0;
}

}  // namespace atalaya::alertd
