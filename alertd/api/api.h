#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/alert.h"
#include "alertd/notify/outbox.h"
#include "base/clock.h"
#include "base/http_server.h"
#include "base/result.h"
#include "history/store.h"
#include "promql/engine.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

// What the API shows of one scrape target.
struct TargetView {
  std::string job;
  std::string instance;
  std::string url;           // "http://127.0.0.1:9100/metrics"
  telemetry::Labels labels;  // Of its series: job, instance and those of the config.
  bool scraped = false;      // False before the first scrape: health "unknown".
  bool up = false;
  std::string last_error;  // "" where the last scrape went well.
  std::int64_t last_scrape_ms = 0;
  double last_duration_seconds = 0;
  std::int64_t interval_ms = 0;
  std::int64_t timeout_ms = 0;
};

// What the API shows of one rule, with its alerts that are pending or firing.
struct RuleView {
  std::string file;   // Becomes the group's `file` and, without folder and ".toml", its name.
  std::string name;   // The alert's name.
  std::string query;  // PromQL text.
  std::int64_t for_ms = 0;
  std::int64_t interval_ms = 0;
  telemetry::Labels labels;
  std::map<std::string, std::string> annotations;  // As written, not expanded.
  std::vector<Alert> alerts;
  std::string last_error;  // "" where the last evaluation went well.
  std::int64_t last_evaluation_ms = 0;
  double evaluation_seconds = 0;
};

struct ApiOptions {
  const history::Store* store = nullptr;   // Not owned; outlive the Api; required.
  const promql::Engine* engine = nullptr;  // Over `store`; required.
  const Clock* clock = &SystemClock();     // For "now".
  std::vector<std::string> allowed_hosts;  // Host names besides localhost and IP addresses.
  std::int64_t started_ms = 0;             // Of the program, UTC.

  // Snapshots; called on the threads that serve, several at once. An empty one stands for nothing
  // there.
  std::function<std::vector<TargetView>()> targets;
  std::function<std::vector<RuleView>()> rules;
  std::function<Result<std::vector<OutboxRow>>(const OutboxQuery&)> notices;
  std::function<Status()> ready;  // Its error becomes the text of a 503 from /-/ready.
};

// Answers HTTP: the page and its files, Prometheus's HTTP API (v1), our own /api/atalaya, and
// /-/healthy and /-/ready. Pass Handle to HttpServer::Start.
//
// A Host header that is neither an IP address, localhost nor in `allowed_hosts` gets 421, so that
// no web page can reach the API by rebinding its own name. No CORS headers. Answers of
// /api/atalaya and the page's files carry an ETag and honour If-None-Match.
// Source: the HTTP API chapter of the Prometheus 3.x documentation.
//
// Threads: Handle from any, several at once; blocks as long as a query takes.
class Api {
 public:
  explicit Api(ApiOptions options);

  HttpResponse Handle(const HttpRequest& request) const;

  // Ends running queries, and refuses new ones with 503. Threads: any.
  void Stop() { stopping_ = true; }

 private:
  const ApiOptions options_;
  std::atomic<bool> stopping_{false};
};

}  // namespace atalaya::alertd
