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

void Pages::Refuse(PageResponse& response, int status, std::string text) {
  body_ = std::move(text);
  response.status = status;
  response.body = body_;
}

bool Pages::Answer(const HttpRequest& request, PageResponse& response) {
  const bool known = request.path == telemetry_path_ || request.path == "/" ||
                     request.path == "/-/healthy" || request.path == "/-/ready";
  if (!known) {
    Refuse(response, 404, fmt::format("not here; the metrics are at {}\n", telemetry_path_));
  } else if (request.method != "GET") {
    Refuse(response, 405, "only GET and HEAD are answered here\n");
    response.headers = "Allow: GET, HEAD\r\n";
  } else if (request.path == telemetry_path_) {
    return BeginMetrics(request, response);
  } else if (request.path == "/") {
    body_ = Landing();
    response.content_type = "text/html; charset=utf-8";
    response.body = body_;
  } else {
    response.body = request.path == "/-/ready" ? "ready\n" : "healthy\n";
  }
  return true;
}

bool Pages::BeginMetrics(const HttpRequest& request, PageResponse& response) {
  const Result<std::set<std::string>> only = ChooseCollectors(request, gatherer_->names());
  if (!only) {
    Refuse(response, 400, only.error().message + "\n");
    return true;
  }
  began_ns_ = SystemClock().SteadyNs();
  gzip_ = WantsGzip(request);
  page_.StartPage(ChooseFormat(request));
  gatherer_->Begin(*only, page_.format());
  return GoOn(response);
}

bool Pages::GoOn(PageResponse& response) {
  if (!gatherer_->GoOn()) return false;
  gatherer_->Write(page_);
  if (self_ != nullptr) {
    self_->CountScrape(std::chrono::nanoseconds(SystemClock().SteadyNs() - began_ns_));
    self_->Write(page_);
  }
  page_.EndPage();
  response.content_type = ContentType(page_.format());
  response.headers = "Vary: Accept, Accept-Encoding\r\n";
  response.body = page_.text();
  if (gzip_ && page_.text().size() >= kSmallestGzipBytes) {
    body_ = GzipCompress(page_.text());
    response.body = body_;
    response.headers += "Content-Encoding: gzip\r\n";
  }
  return true;
}

std::string Pages::Landing() const {
  std::string page = fmt::format(
      "<!doctype html><html lang=\"en\"><head><title>cloud_exporter</title></head><body>\n"
      "<h1>cloud_exporter {}</h1>\n<p><a href=\"{}\">Metrics</a></p>\n<p>Collectors:",
      kVersion, telemetry_path_);
  for (const std::string& name : gatherer_->names()) page += " " + name;
  return page + "</p>\n</body></html>\n";
}

}  // namespace atalaya::exporter
