// Alertmanager's API v2 as far as amtool and other clients need it: what fires, who hears of it,
// and silences.

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "alertd/api/answer.h"
#include "alertd/api/handlers.h"
#include "base/version.h"
#include "promql/parser.h"
#include "promql/regex.h"

namespace atalaya::alertd {
namespace {

using Json = nlohmann::json;
using telemetry::Matcher;
using Matchers = std::vector<promql::CompiledMatcher>;

constexpr std::string_view kSilencePrefix = "/api/v2/silence/";
constexpr char kNotEnded[] = "0001-01-01T00:00:00.000Z";
constexpr char kJsonType[] = "application/json";

HttpResponse Answer(JsonWriter& writer) { return {200, kJsonType, writer.Take(), {}}; }

// Errors are a JSON string there.
HttpResponse Refusal(int status, std::string_view why) {
  JsonWriter writer;
  writer.String(why);
  return {status, kJsonType, writer.Take(), {}};
}

HttpResponse Refusal(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalid:
      return Refusal(400, error.message);
    case ErrorCode::kNotFound:
      return Refusal(404, error.message);
    case ErrorCode::kLimit:
      return Refusal(422, error.message);
    default:
      return Refusal(500, error.message);
  }
}

HttpResponse NotAllowed(std::string allowed) {
  HttpResponse response = Refusal(405, "this address takes " + allowed);
  response.headers.emplace_back("Allow", std::move(allowed));
  return response;
}

// `filter`: each a matcher such as alertname="Down", all of which must hold.
Result<Matchers> ReadFilters(const Params& params) {
  Matchers matchers;
  for (const std::string& text : params.All("filter")) {
    const Result<promql::ExprPtr> expr = promql::Parse(fmt::format("any{{{}}}", text));
    if (!expr || (*expr)->kind != promql::Expr::Kind::kSelector)
      return Fail(ErrorCode::kInvalid, "filter: {} is no matcher such as alertname=\"Down\"", text);
    for (const Matcher& matcher : static_cast<const promql::Selector&>(**expr).matchers) {
      if (matcher.name != telemetry::kMetricName) matchers.emplace_back(matcher);
    }
  }
  return matchers;
}

bool Holds(const Matchers& matchers, const telemetry::Labels& labels) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const promql::CompiledMatcher& matcher) {
    return matcher.Matches(labels);
  });
}

void WriteStrings(JsonWriter& writer, std::string_view key, const std::vector<std::string>& texts) {
  writer.Key(key).BeginArray();
  for (const std::string& text : texts) writer.String(text);
  writer.EndArray();
}

// Silences ------------------------------------------------------------------------------------

void WriteMatchers(JsonWriter& writer, const std::vector<Matcher>& matchers) {
  writer.Key("matchers").BeginArray();
  for (const Matcher& matcher : matchers) {
    const bool regex =
        matcher.kind == Matcher::Kind::kRegex || matcher.kind == Matcher::Kind::kNotRegex;
    const bool equal =
        matcher.kind == Matcher::Kind::kEqual || matcher.kind == Matcher::Kind::kRegex;
    writer.BeginObject().Field("name", matcher.name).Field("value", matcher.value);
    writer.Key("isRegex").Bool(regex).Key("isEqual").Bool(equal).EndObject();
  }
  writer.EndArray();
}

void WriteSilence(JsonWriter& writer, const Silence& silence, std::int64_t now_ms) {
  writer.BeginObject().Field("id", silence.id).Key("status").BeginObject();
  writer.Field("state", SilenceStateName(StateOf(silence, now_ms))).EndObject();
  WriteMatchers(writer, silence.matchers);
  writer.Field("startsAt", FormatRfc3339(silence.starts_ms));
  writer.Field("endsAt", FormatRfc3339(silence.ends_ms));
  writer.Field("updatedAt", FormatRfc3339(silence.updated_ms));
  writer.Field("createdBy", silence.created_by).Field("comment", silence.comment).EndObject();
}

Result<std::string> TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string()) return Fail(ErrorCode::kInvalid, "{}: expected a string", key);
  return found->get<std::string>();
}

Result<std::int64_t> TimeOf(const Json& object, const char* key) {
  const Result<std::string> text = TextOf(object, key);
  if (!text) return Forward(text.error());
  const std::optional<std::int64_t> time_ms = ParseApiTime(*text);
  if (!time_ms)
    return Fail(ErrorCode::kInvalid, "{}: expected a time such as 2026-11-21T20:10:51Z", key);
  return *time_ms;
}

Result<bool> FlagOf(const Json& object, const char* key, bool otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  if (!found->is_boolean()) return Fail(ErrorCode::kInvalid, "{}: expected true or false", key);
  return found->get<bool>();
}

Result<Matcher> ReadMatcher(const Json& object) {
  if (!object.is_object()) return Fail(ErrorCode::kInvalid, "matchers: expected objects");
  const Result<std::string> name = TextOf(object, "name");
  if (!name) return Forward(name.error());
  const Result<std::string> value = TextOf(object, "value");
  if (!value) return Forward(value.error());
  const Result<bool> regex = FlagOf(object, "isRegex", false);
  if (!regex) return Forward(regex.error());
  const Result<bool> equal = FlagOf(object, "isEqual", true);
  if (!equal) return Forward(equal.error());
  const auto kind = *regex ? (*equal ? Matcher::Kind::kRegex : Matcher::Kind::kNotRegex)
                           : (*equal ? Matcher::Kind::kEqual : Matcher::Kind::kNotEqual);
  return Matcher{kind, *name, *value};
}

Result<Silence> ReadSilence(std::string_view body) {
  const Json object = Json::parse(body, nullptr, false);
  if (!object.is_object()) return Fail(ErrorCode::kInvalid, "body: expected a silence as JSON");
  Silence silence;
  const std::pair<const char*, std::string*> texts[] = {
      {"id", &silence.id}, {"createdBy", &silence.created_by}, {"comment", &silence.comment}};
  for (const auto& [key, to] : texts) {
    Result<std::string> text = TextOf(object, key);
    if (!text) return Forward(text.error());
    *to = std::move(*text);
  }
  const std::pair<const char*, std::int64_t*> times[] = {{"startsAt", &silence.starts_ms},
                                                         {"endsAt", &silence.ends_ms}};
  for (const auto& [key, to] : times) {
    const Result<std::int64_t> time_ms = TimeOf(object, key);
    if (!time_ms) return Forward(time_ms.error());
    *to = *time_ms;
  }
  const auto matchers = object.find("matchers");
  if (matchers == object.end() || !matchers->is_array())
    return Fail(ErrorCode::kInvalid, "matchers: expected a list");
  for (const Json& each : *matchers) {
    Result<Matcher> matcher = ReadMatcher(each);
    if (!matcher) return Forward(matcher.error());
    silence.matchers.push_back(std::move(*matcher));
  }
  return silence;
}

// A silence is found by its own matchers, as if they were labels.
bool SilenceMatches(const Matchers& filters, const Silence& silence) {
  telemetry::Labels labels;
  for (const Matcher& matcher : silence.matchers) labels.Set(matcher.name, matcher.value);
  return Holds(filters, labels);
}

HttpResponse ListSilences(const ApiContext& context) {
  const Result<Matchers> filters = ReadFilters(context.params);
  if (!filters) return Refusal(filters.error());
  const std::int64_t now_ms = context.options.clock->NowMs();
  std::vector<Silence> silences = context.options.silences->List();
  // Active ones first, and of those what ends next, as amtool's users know it.
  std::stable_sort(silences.begin(), silences.end(), [&](const Silence& a, const Silence& b) {
    const auto rank = [&](const Silence& silence) {
      const SilenceState state = StateOf(silence, now_ms);
      return state == SilenceState::kActive ? 0 : state == SilenceState::kPending ? 1 : 2;
    };
    return std::pair(rank(a), a.ends_ms) < std::pair(rank(b), b.ends_ms);
  });
  JsonWriter writer;
  writer.BeginArray();
  for (const Silence& silence : silences) {
    if (SilenceMatches(*filters, silence)) WriteSilence(writer, silence, now_ms);
  }
  writer.EndArray();
  return Answer(writer);
}

HttpResponse PostSilence(const ApiContext& context, const HttpRequest& request) {
  // A web page of another site can post forms and text, and nothing else without asking.
  if (!request.Header("content-type").starts_with(kJsonType))
    return Refusal(415, "Content-Type: expected application/json");
  Result<Silence> silence = ReadSilence(request.body);
  if (!silence) return Refusal(silence.error());
  const Result<std::string> id = context.options.silences->Set(std::move(*silence));
  if (!id) return Refusal(id.error());
  JsonWriter writer;
  writer.BeginObject().Field("silenceID", *id).EndObject();
  return Answer(writer);
}

HttpResponse OneSilence(const ApiContext& context, const HttpRequest& request) {
  const std::string id = request.path.substr(kSilencePrefix.size());
  SilenceBook& book = *context.options.silences;
  if (request.method == "DELETE") {
    if (const Status expired = book.Expire(id); !expired) return Refusal(expired.error());
    return {200, kJsonType, "", {}};
  }
  if (request.method == "POST") return NotAllowed("GET, HEAD, DELETE");
  const std::optional<Silence> silence = book.Find(id);
  if (!silence) return Refusal(404, "no silence " + id);
  JsonWriter writer;
  WriteSilence(writer, *silence, context.options.clock->NowMs());
  return Answer(writer);
}

// Alerts --------------------------------------------------------------------------------------

struct FiringAlert {
  Alert alert;  // As it is told.
  std::vector<std::string> receivers;
  std::vector<std::string> silenced_by;
};

struct AlertFilters {
  bool active = true;
  bool silenced = true;
  std::optional<promql::Regex> receiver;
  Matchers matchers;
};

// false only where the parameter says so.
bool Flag(const Params& params, std::string_view name) { return params.Text(name) != "false"; }

Result<AlertFilters> ReadAlertFilters(const Params& params) {
  AlertFilters filters;
  filters.active = Flag(params, "active");
  filters.silenced = Flag(params, "silenced");
  if (const std::string receiver = params.Text("receiver"); !receiver.empty()) {
    Result<promql::Regex> pattern = promql::Regex::Compile(receiver);
    if (!pattern) return Fail(ErrorCode::kInvalid, "receiver: {}", pattern.error().message);
    filters.receiver = std::move(*pattern);
  }
  Result<Matchers> matchers = ReadFilters(params);
  if (!matchers) return Forward(matchers.error());
  filters.matchers = std::move(*matchers);
  return filters;
}

std::vector<FiringAlert> Firing(const ApiContext& context, const RulesSnapshot& rules,
                                const AlertFilters& filters) {
  std::vector<FiringAlert> found;
  for (const RuleStatus& rule : rules.rules) {
    for (const Alert& own : rule.alerts) {
      if (own.state != AlertState::kFiring) continue;
      Alert alert = context.options.outside(own);
      if (!Holds(filters.matchers, alert.labels)) continue;
      FiringAlert firing{std::move(alert), {}, {}};
      firing.receivers = context.options.receivers(firing.alert);
      firing.silenced_by = context.options.silences->Covering(firing.alert.labels);
      if (!(firing.silenced_by.empty() ? filters.active : filters.silenced)) continue;
      if (filters.receiver &&
          std::none_of(firing.receivers.begin(), firing.receivers.end(),
                       [&](const std::string& name) { return filters.receiver->Matches(name); }))
        continue;
      found.push_back(std::move(firing));
    }
  }
  return found;
}

void WriteFiring(JsonWriter& writer, const FiringAlert& firing, const RulesSnapshot& rules) {
  const Alert& alert = firing.alert;
  writer.BeginObject().Key("annotations").BeginObject();
  for (const auto& [name, text] : alert.annotations) writer.Field(name, text);
  writer.EndObject().Field("endsAt", kNotEnded);
  writer.Field("fingerprint", fmt::format("{:016x}", alert.Fingerprint()));
  writer.Key("receivers").BeginArray();
  for (const std::string& name : firing.receivers)
    writer.BeginObject().Field("name", name).EndObject();
  writer.EndArray().Field("startsAt", FormatRfc3339(alert.fired_at_ms));
  writer.Key("status").BeginObject();
  WriteStrings(writer, "inhibitedBy", {});
  WriteStrings(writer, "silencedBy", firing.silenced_by);
  writer.Field("state", firing.silenced_by.empty() ? "active" : "suppressed").EndObject();
  writer.Field("updatedAt", FormatRfc3339(rules.evaluated_at_ms));
  writer.Field("generatorURL", "").Key("labels").Labels(alert.labels).EndObject();
}

using FiringWriter =
    std::function<void(JsonWriter&, const std::vector<FiringAlert>&, const RulesSnapshot&)>;

HttpResponse AnswerFiring(const ApiContext& context, const FiringWriter& write) {
  const Result<AlertFilters> filters = ReadAlertFilters(context.params);
  if (!filters) return Refusal(filters.error());
  const std::shared_ptr<const RulesSnapshot> rules = context.options.rules();
  JsonWriter writer;
  writer.BeginArray();
  write(writer, Firing(context, *rules, *filters), *rules);
  writer.EndArray();
  return Answer(writer);
}

void WriteFlat(JsonWriter& writer, const std::vector<FiringAlert>& alerts,
               const RulesSnapshot& rules) {
  for (const FiringAlert& firing : alerts) WriteFiring(writer, firing, rules);
}

// As notices are grouped: for each receiver, by alertname.
void WriteGroups(JsonWriter& writer, const std::vector<FiringAlert>& alerts,
                 const RulesSnapshot& rules) {
  std::map<std::pair<std::string, std::string>, std::vector<const FiringAlert*>> groups;
  for (const FiringAlert& firing : alerts) {
    for (const std::string& receiver : firing.receivers)
      groups[{std::string(firing.alert.labels.Get("alertname")), receiver}].push_back(&firing);
  }
  for (const auto& [key, members] : groups) {
    writer.BeginObject().Key("alerts").BeginArray();
    for (const FiringAlert* firing : members) WriteFiring(writer, *firing, rules);
    writer.EndArray().Key("labels").BeginObject().Field("alertname", key.first).EndObject();
    writer.Key("receiver").BeginObject().Field("name", key.second).EndObject().EndObject();
  }
}

// The program ------------------------------------------------------------------------------------

HttpResponse AnswerStatusV2(const ApiContext& context) {
  JsonWriter writer;
  writer.BeginObject().Key("cluster").BeginObject().Field("status", "disabled").EndObject();
  writer.Key("config").BeginObject().Field("original", "").EndObject();
  writer.Field("uptime", FormatRfc3339(context.options.started_ms))
      .Key("versionInfo")
      .BeginObject();
  writer.Field("version", kVersion);
  for (const char* key : {"revision", "branch", "buildUser", "buildDate", "goVersion"})
    writer.Field(key, "");
  writer.EndObject().EndObject();
  return Answer(writer);
}

HttpResponse AnswerReceivers(const ApiContext& context) {
  JsonWriter writer;
  writer.BeginArray();
  for (const std::string& name : context.options.receivers(Alert()))
    writer.BeginObject().Field("name", name).EndObject();
  writer.EndArray();
  return Answer(writer);
}

}  // namespace

HttpResponse AnswerAlertmanager(const ApiContext& context, const HttpRequest& request) {
  const ApiOptions& options = context.options;
  if (options.silences == nullptr || !options.rules || !options.receivers || !options.outside)
    return Refusal(404, "there are no notices here");
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (request.path.starts_with(kSilencePrefix)) {
    return reads || request.method == "DELETE" || request.method == "POST"
               ? OneSilence(context, request)
               : NotAllowed("GET, HEAD, DELETE");
  }
  if (request.path == "/api/v2/silences") {
    if (request.method == "POST") return PostSilence(context, request);
    return reads ? ListSilences(context) : NotAllowed("GET, HEAD, POST");
  }
  if (!reads) return NotAllowed("GET, HEAD");
  if (request.path == "/api/v2/alerts") return AnswerFiring(context, WriteFlat);
  if (request.path == "/api/v2/alerts/groups") return AnswerFiring(context, WriteGroups);
  if (request.path == "/api/v2/receivers") return AnswerReceivers(context);
  if (request.path == "/api/v2/status") return AnswerStatusV2(context);
  return Refusal(404, request.path + ": no such address");
}

}  // namespace atalaya::alertd
