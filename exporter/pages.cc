#include "exporter/pages.h"

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "base/gzip.h"
#include "base/suggest.h"
#include "base/version.h"

namespace atalaya::exporter {
namespace {

using telemetry::TextFormat;
using telemetry::TextWriter;

constexpr std::size_t kSmallestGzipBytes = 256;  // Below, the header costs more than it saves.

HttpResponse Plain(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

// OpenMetrics where the client wants it at least as much as plain text.
TextFormat ChooseFormat(const HttpRequest& request) {
  const std::string accept = request.Header("accept");
  const double open_metrics = AcceptQuality(accept, "application/openmetrics-text");
  const bool named = accept.find("openmetrics") != std::string::npos;
  return named && open_metrics > 0 && open_metrics >= AcceptQuality(accept, "text/plain")
             ? TextFormat::kOpenMetrics
             : TextFormat::kPrometheus;
}

bool WantsGzip(const HttpRequest& request) {
  const std::string accepted = request.Header("accept-encoding");
  return AcceptQuality(accepted, "gzip") > 0;
}

// The collectors that collect[] and exclude[] leave; empty: all.
Result<std::set<std::string>> ChooseCollectors(const HttpRequest& request,
                                               const std::vector<std::string>& names) {
  std::set<std::string> collect;
  std::set<std::string> exclude;
  for (const auto& [key, value] : ParseForm(request.query)) {
    if (key != "collect[]" && key != "exclude[]") continue;
    if (std::find(names.begin(), names.end(), value) == names.end()) {
      return Fail(ErrorCode::kInvalid, "{}: \"{}\" is no collector that runs here{}", key, value,
                  DidYouMean(value, names));
    }
    (key == "collect[]" ? collect : exclude).insert(value);
  }
  if (!collect.empty() && !exclude.empty()) {
    return Fail(ErrorCode::kInvalid, "collect[] and exclude[] cannot be used together");
  }
  if (exclude.empty()) return collect;
  for (const std::string& name : names) {
    if (!exclude.contains(name)) collect.insert(name);
  }
  if (collect.empty()) return Fail(ErrorCode::kInvalid, "exclude[] leaves no collector");
  return collect;
}

}  // namespace

Pages::Pages(std::string telemetry_path, Gatherer* gatherer, SelfMetrics* self)
    : telemetry_path_(std::move(telemetry_path)), gatherer_(gatherer), self_(self) {}

HttpResponse Pages::Answer(const HttpRequest& request) {
  const bool known = request.path == telemetry_path_ || request.path == "/" ||
                     request.path == "/-/healthy" || request.path == "/-/ready";
  if (!known) return Plain(404, fmt::format("not here; the metrics are at {}\n", telemetry_path_));
  if (request.method != "GET") {
    HttpResponse refused = Plain(405, "only GET and HEAD are answered here\n");
    refused.headers = {{"Allow", "GET, HEAD"}};
    return refused;
  }
  if (request.path == telemetry_path_) return Metrics(request);
  if (request.path == "/") return Landing();
  return Plain(200, request.path == "/-/ready" ? "ready\n" : "healthy\n");
}

HttpResponse Pages::Metrics(const HttpRequest& request) {
  const Result<std::set<std::string>> only = ChooseCollectors(request, gatherer_->names());
  if (!only) return Plain(400, only.error().message + "\n");

  const std::int64_t started_ns = SystemClock().SteadyNs();
  thread_local TextWriter page(TextFormat::kPrometheus);
  page.StartPage(ChooseFormat(request));
  const Status gathered = gatherer_->Gather(*only, page);
  self_->CountScrape(gathered.has_value(),
                     std::chrono::nanoseconds(SystemClock().SteadyNs() - started_ns));
  if (!gathered) return Plain(503, gathered.error().message + "\n");
  self_->Write(page);
  page.EndPage();

  HttpResponse response;
  response.content_type = ContentType(page.format());
  response.headers = {{"Vary", "Accept, Accept-Encoding"}};
  if (WantsGzip(request) && page.text().size() >= kSmallestGzipBytes) {
    response.body = GzipCompress(page.text());
    response.headers.emplace_back("Content-Encoding", "gzip");
  } else {
    response.body = page.text();
  }
  return response;
}

HttpResponse Pages::Landing() const {
  HttpResponse response;
  response.content_type = "text/html; charset=utf-8";
  response.body = fmt::format(
      "<!doctype html><html lang=\"en\"><head><title>cloud_exporter</title></head><body>\n"
      "<h1>cloud_exporter {}</h1>\n<p><a href=\"{}\">Metrics</a></p>\n<p>Collectors:",
      kVersion, telemetry_path_);
  for (const std::string& name : gatherer_->names()) response.body += " " + name;
  response.body += "</p>\n</body></html>\n";
  return response;
}

}  // namespace atalaya::exporter
