#pragma once

#include <string>
#include <vector>

#include "exporter/gatherer.h"
#include "exporter/page_server.h"
#include "exporter/self_metrics.h"

namespace atalaya::exporter {

// Answers every request that the exporter gets: the page of metrics (text 0.0.4 or OpenMetrics 1.0
// by Accept, gzip by Accept-Encoding, some collectors by collect[] and exclude[]), the landing
// page, /-/healthy and /-/ready.
// Threads: the one that carries the baton.
class Pages final : public PageHandler {
 public:
  // `gatherer` and `self` must outlive this; without `self` the page says nothing of the exporter.
  Pages(std::string telemetry_path, Gatherer* gatherer, SelfMetrics* self);

  bool Answer(const HttpRequest& request, PageResponse& response) override;
  bool GoOn(PageResponse& response) override;

 private:
  bool BeginMetrics(const HttpRequest& request, PageResponse& response);
  void Refuse(PageResponse& response, int status, std::string text);
  std::string Landing() const;

  std::string telemetry_path_;
  Gatherer* gatherer_;
  SelfMetrics* self_;
  telemetry::TextWriter page_{telemetry::TextFormat::kPrometheus};
  bool gzip_ = false;
  std::int64_t began_ns_ = 0;
  std::string body_;  // What a response's body is a view of.
};

}  // namespace atalaya::exporter
