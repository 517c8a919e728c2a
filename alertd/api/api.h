#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "alertd/api/access.h"
#include "alertd/api/refusals.h"
#include "alertd/collect/collector.h"
#include "alertd/notify/outbox.h"
#include "alertd/notify/posted_alerts.h"
#include "alertd/notify/routing.h"
#include "alertd/notify/silence_book.h"
#include "alertd/rules/rule_snapshot.h"
#include "base/clock.h"
#include "base/http_server.h"
#include "base/result.h"
#include "history/store.h"
#include "promql/engine.h"
#include "telemetry/text_writer.h"

namespace atalaya::alertd {

struct ApiOptions {
  const history::Store* store = nullptr;   // Not owned; outlive the Api; required.
  const promql::Engine* engine = nullptr;  // Over `store`; required.
  const Clock* clock = &SystemClock();     // For "now".
  std::vector<std::string> allowed_hosts;  // Names besides localhost and IP addresses, without
                                           // port, in lower case.
  std::string token;                       // What a request must bring; "": nothing.
  std::string base_path;        // "/atalaya" where a proxy serves it below that; "": at "/".
  std::int64_t started_ms = 0;  // Of the program, UTC.

  // Snapshots; called on the threads that serve, several at once. An empty one stands for nothing
  // there.
  std::function<std::vector<TargetStatus>()> targets;
  std::function<std::vector<telemetry::FamilyMetadata>()> metadata;  // By name.
  std::function<std::shared_ptr<const RulesSnapshot>()> rules;       // Never null.
  std::function<Result<std::vector<OutboxRow>>(const OutboxQuery&)> notices;
  // How the firing alerts of rules, and those that were posted, stand.
  std::function<std::vector<AlertView>(std::vector<Alert>)> view;
  std::function<std::shared_ptr<const Routing>()> routing;  // Never null.
  PostedAlerts* posted = nullptr;                           // Not owned; null: nobody may post.
  std::function<void()> on_posted;                          // Some were.
  SilenceBook* silences = nullptr;                          // Not owned; null: there are none.
  std::function<Status()> ready;  // Its error becomes the text of a 503 from /-/ready.
  std::function<void(telemetry::TextWriter&)>
      metrics;  // Families for /metrics, beside the store's.
};

// Answers HTTP: the page and its files, Prometheus's HTTP API (v1), our own /api/atalaya, and
// /metrics, /-/healthy and /-/ready. Pass Handle to HttpServer::Start.
//
// A Host header that is neither an IP address, localhost nor in `allowed_hosts` gets 421, so that
// no web page can reach the API by rebinding its own name. No CORS headers. What the page polls and
// its files carry an ETag and honour If-None-Match. Addresses are answered with `base_path` in
// front and without it, as a proxy may take it off. With a token, see Access, but for what says
// nothing of anybody: the page's own files, /-/healthy and /-/ready; and /metrics for programs of
// this machine (a request from loopback that no proxy has passed on, as X-Forwarded-For would
// tell), so that scrapers need no secret. Alertmanager's API v2 is answered for alerts, receivers
// and silences, so that amtool works and a Prometheus can send its alerts. Source: the HTTP API chapter of the Prometheus 3.x
// documentation; Alertmanager's OpenAPI file.
//
// Threads: Handle from any, several at once; blocks as long as a query takes.
class Api {
 public:
  explicit Api(ApiOptions options);

  HttpResponse Handle(const HttpRequest& request);

  // Counts what was refused before it came to Handle (HttpServerOptions::on_refused). Threads: any.
  void CountRefused(int status) { refusals_.Count(status); }

  // Ends running queries, and refuses new ones with 503. Threads: any.
  void Stop() { stopping_ = true; }

 private:
  HttpResponse AnswerBelowBase(const HttpRequest& request);
  HttpResponse Answer(const HttpRequest& request);

  const ApiOptions options_;
  Access access_;
  Refusals refusals_;
  std::atomic<bool> stopping_{false};
};

}  // namespace atalaya::alertd
