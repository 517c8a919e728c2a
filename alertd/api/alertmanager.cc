// Alertmanager's API v2 as far as amtool, Prometheus and other clients need it: what fires, who
// hears of it, silences, and alerts that others post.

#include <algorithm>
#include <functional>
#include <map>

#include "alertd/api/alertmanager_input.h"
#include "alertd/api/answer.h"
#include "alertd/api/handlers.h"
#include "base/version.h"
#include "promql/regex.h"

namespace atalaya::alertd {
namespace {

using telemetry::Matcher;

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

constexpr char kNotJson[] = "Content-Type: expected application/json";

// A web page of another site can post forms and text, and nothing else without asking.
bool IsJson(const HttpRequest& request) {
  return request.Header("content-type").starts_with(kJsonType);
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

// A silence is found by its own matchers, as if they were labels.
bool SilenceMatches(const Matchers& filters, const Silence& silence) {
  telemetry::Labels labels;
  for (const Matcher& matcher : silence.matchers) labels.Set(matcher.name, matcher.value);
  return filters.Hold(labels);
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
  if (!IsJson(request)) return Refusal(415, kNotJson);
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

struct AlertFilters {
  bool active = true, silenced = true, inhibited = true, muted = true;
  std::optional<promql::Regex> receiver;
  Matchers matchers;
};

// false only where the parameter says so.
bool Flag(const Params& params, std::string_view name) { return params.Text(name) != "false"; }

Result<AlertFilters> ReadAlertFilters(const Params& params) {
  AlertFilters filters;
  filters.active = Flag(params, "active");
  filters.silenced = Flag(params, "silenced");
  filters.inhibited = Flag(params, "inhibited");
  filters.muted = Flag(params, "muted");
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

// Of one group, or of all; `muted_by` is that of the same.
bool IsSuppressed(const AlertView& view, const std::vector<std::string>& muted_by) {
  return !view.silenced_by.empty() || view.inhibited_by || !muted_by.empty();
}

bool Passes(const AlertFilters& filters, const AlertView& view) {
  const std::vector<std::string> muted_by = view.MutedBy();
  if (!filters.active && !IsSuppressed(view, muted_by)) return false;
  if (!filters.silenced && !view.silenced_by.empty()) return false;
  if (!filters.inhibited && view.inhibited_by) return false;
  if (!filters.muted && !muted_by.empty()) return false;
  const std::vector<std::string> receivers = view.Receivers();
  return filters.matchers.Hold(view.alert.labels) &&
         (!filters.receiver ||
          std::any_of(receivers.begin(), receivers.end(),
                      [&](const std::string& name) { return filters.receiver->Matches(name); }));
}

std::vector<AlertView> FiringViews(const ApiContext& context, const RulesSnapshot& rules,
                                   const AlertFilters& filters) {
  std::vector<Alert> firing;
  for (const RuleStatus& rule : rules.rules) {
    for (const Alert& alert : rule.alerts) {
      if (alert.state == AlertState::kFiring) firing.push_back(alert);
    }
  }
  std::vector<AlertView> views = context.options.view(std::move(firing));
  std::erase_if(views, [&](const AlertView& view) { return !Passes(filters, view); });
  return views;
}

void WriteView(JsonWriter& writer, const AlertView& view, const std::vector<std::string>& muted_by,
               const RulesSnapshot& rules) {
  const Alert& alert = view.alert;
  writer.BeginObject().Key("annotations").BeginObject();
  for (const auto& [name, text] : alert.annotations) writer.Field(name, text);
  writer.EndObject().Field("endsAt", kNotEnded);
  writer.Field("fingerprint", fmt::format("{:016x}", alert.Fingerprint()));
  writer.Key("receivers").BeginArray();
  for (const std::string& name : view.Receivers())
    writer.BeginObject().Field("name", name).EndObject();
  writer.EndArray().Field("startsAt", FormatRfc3339(alert.fired_at_ms));
  writer.Key("status").BeginObject();
  std::vector<std::string> inhibited_by;
  if (view.inhibited_by) inhibited_by.push_back(fmt::format("{:016x}", *view.inhibited_by));
  WriteStrings(writer, "inhibitedBy", inhibited_by);
  WriteStrings(writer, "mutedBy", muted_by);
  WriteStrings(writer, "silencedBy", view.silenced_by);
  writer.Field("state", IsSuppressed(view, muted_by) ? "suppressed" : "active").EndObject();
  writer.Field("updatedAt", FormatRfc3339(rules.evaluated_at_ms));
  writer.Field("generatorURL", alert.generator_url).Key("labels").Labels(alert.labels).EndObject();
}

using ViewsWriter =
    std::function<void(JsonWriter&, const std::vector<AlertView>&, const RulesSnapshot&)>;

HttpResponse AnswerFiring(const ApiContext& context, const ViewsWriter& write) {
  const Result<AlertFilters> filters = ReadAlertFilters(context.params);
  if (!filters) return Refusal(filters.error());
  const std::shared_ptr<const RulesSnapshot> rules = context.options.rules();
  JsonWriter writer;
  writer.BeginArray();
  write(writer, FiringViews(context, *rules, *filters), *rules);
  writer.EndArray();
  return Answer(writer);
}

void WriteFlat(JsonWriter& writer, const std::vector<AlertView>& views,
               const RulesSnapshot& rules) {
  for (const AlertView& view : views) WriteView(writer, view, view.MutedBy(), rules);
}

// As notices are made: for each group and receiver of it.
void WriteGroups(JsonWriter& writer, const std::vector<AlertView>& views,
                 const RulesSnapshot& rules) {
  struct Member {
    const AlertView* view;
    const AlertView::Group* group;
  };
  std::map<std::pair<std::string, std::string>, std::vector<Member>> groups;
  for (const AlertView& view : views) {
    for (const AlertView::Group& group : view.groups) {
      for (const std::string& receiver : group.receivers)
        groups[{group.key, receiver}].push_back({&view, &group});
    }
  }
  for (const auto& [key, members] : groups) {
    writer.BeginObject().Key("alerts").BeginArray();
    for (const Member& member : members)
      WriteView(writer, *member.view, member.group->muted_by, rules);
    writer.EndArray().Key("labels").Labels(members.front().group->labels);
    writer.Key("receiver").BeginObject().Field("name", key.second).EndObject().EndObject();
  }
}

HttpResponse PostAlerts(const ApiContext& context, const HttpRequest& request) {
  if (!IsJson(request)) return Refusal(415, kNotJson);
  Result<std::vector<PostedAlert>> alerts = ReadPostedAlerts(
      request.body, context.options.clock->NowMs(), context.options.routing()->resolve_timeout);
  if (!alerts) {
    context.options.posted->CountRefused(1);
    return Refusal(alerts.error());
  }
  const Status posted = context.options.posted->Post(std::move(*alerts));
  context.options.on_posted();
  if (!posted) return Refusal(posted.error());
  return {200, kJsonType, "", {}};
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
  for (const ReceiverConfig& receiver : context.options.routing()->receivers)
    writer.BeginObject().Field("name", receiver.name).EndObject();
  writer.EndArray();
  return Answer(writer);
}

}  // namespace

HttpResponse AnswerAlertmanager(const ApiContext& context, const HttpRequest& request) {
  const ApiOptions& options = context.options;
  if (options.silences == nullptr || !options.rules || !options.view || !options.routing ||
      options.posted == nullptr)
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
  if (request.path == "/api/v2/alerts" && request.method == "POST")
    return PostAlerts(context, request);
  if (!reads) return NotAllowed(request.path == "/api/v2/alerts" ? "GET, HEAD, POST" : "GET, HEAD");
  if (request.path == "/api/v2/alerts") return AnswerFiring(context, WriteFlat);
  if (request.path == "/api/v2/alerts/groups") return AnswerFiring(context, WriteGroups);
  if (request.path == "/api/v2/receivers") return AnswerReceivers(context);
  if (request.path == "/api/v2/status") return AnswerStatusV2(context);
  return Refusal(404, request.path + ": no such address");
}

}  // namespace atalaya::alertd
