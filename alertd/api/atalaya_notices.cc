// /api/atalaya/notices: what was sent to whom, and what waits; /api/atalaya/runs: when the watcher
// was on.

#include <algorithm>
#include <charconv>

#include "alertd/api/answer.h"
#include "alertd/api/handlers.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kDefaultNotices = 100;

Result<OutboxQuery> ReadQuery(const Params& params) {
  OutboxQuery query;
  if (const std::string state = params.Text("state"); !state.empty()) {
    query.state = ParseOutboxState(state);
    if (!query.state) {
      return Fail(
          ErrorCode::kInvalid,
          "invalid parameter \"state\": \"{}\" is none of waiting, sent, failed, dropped, merged",
          state);
    }
  }
  query.receiver = params.Text("receiver");
  query.text = params.Text("search");
  const auto limit = params.Limit();
  if (!limit) return Forward(limit.error());
  query.limit = std::min(*limit == 0 ? kDefaultNotices : *limit, kMaxHistoryPage);
  if (const std::string before = params.Text("before"); !before.empty()) {
    const auto [end, error] =
        std::from_chars(before.data(), before.data() + before.size(), query.before_id);
    if (error != std::errc() || end != before.data() + before.size() || query.before_id < 0) {
      return Fail(ErrorCode::kInvalid, "invalid parameter \"before\": \"{}\" is not an id", before);
    }
  }
  return query;
}

void WriteNotice(JsonWriter& json, const OutboxRow& row) {
  json.BeginObject().Key("id").Integer(row.id).Field("noticeId", row.notice_id);
  json.Field("receiver", row.receiver).Field("kind", row.kind).Field("target", row.target);
  json.Field("status", row.status).Field("state", OutboxStateName(row.state));
  json.Field("summary", row.summary).Field("lastError", row.last_error);
  json.Key("attempts").Integer(row.attempts).Key("createdMs").Integer(row.created_ms);
  json.Key("finishedMs").Integer(row.finished_ms);
  json.Key("nextAttemptMs").Integer(row.next_attempt_ms).EndObject();
}

}  // namespace

HttpResponse AnswerNotices(const ApiContext& context) {
  const auto query = ReadQuery(context.params);
  if (!query) return BadData(query.error());
  std::vector<OutboxRow> rows;
  if (context.options.notices) {
    auto found = context.options.notices(*query);
    if (!found) return Execution(found.error());
    rows = std::move(*found);
  }
  JsonWriter json = BeginSuccess();
  json.BeginObject().Key("notices").BeginArray();
  for (const OutboxRow& row : rows) WriteNotice(json, row);
  json.EndArray().EndObject();
  return EndSuccess(std::move(json));
}

HttpResponse AnswerRuns(const ApiContext& context) {
  const std::int64_t now_ms = context.options.clock->NowMs();
  const auto from_ms = context.params.Time("start", now_ms - history::kHourMs);
  if (!from_ms) return BadData(from_ms.error());
  const auto to_ms = context.params.Time("end", now_ms);
  if (!to_ms) return BadData(to_ms.error());
  JsonWriter json = BeginSuccess();
  json.BeginObject().Key("runs").BeginArray();
  for (const history::Run& run : context.options.store->Runs(*from_ms, *to_ms)) {
    json.BeginObject().Key("startMs").Integer(run.start_ms).Key("endMs").Integer(run.last_ms);
    json.Key("stoppedCleanly").Bool(run.stopped_cleanly).EndObject();
  }
  json.EndArray().EndObject();
  return EndSuccess(std::move(json));
}

}  // namespace atalaya::alertd
