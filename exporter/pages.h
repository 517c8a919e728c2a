#pragma once

#include <string>

#include "base/http_server.h"
#include "exporter/gatherer.h"
#include "exporter/self_metrics.h"

namespace atalaya::exporter {

// Answers every request that the exporter gets: the page of metrics (text 0.0.4 or OpenMetrics 1.0
// by Accept, gzip by Accept-Encoding, some collectors by collect[] and exclude[]), the landing
// page,
// /-/healthy and /-/ready.
// Threads: any, several at once.
class Pages {
 public:
  // Both must outlive this.
  Pages(std::string telemetry_path, Gatherer* gatherer, SelfMetrics* self);

  HttpResponse Answer(const HttpRequest& request);

 private:
  HttpResponse Metrics(const HttpRequest& request);
  HttpResponse Landing() const;

  std::string telemetry_path_;
  Gatherer* gatherer_;
  SelfMetrics* self_;
};

}  // namespace atalaya::exporter
