#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/http_server.h"
#include "base/result.h"
#include "stress/figures.h"

namespace atalaya::stress {

// The run's figures for Prometheus, at /metrics, while it goes on.
class LiveMetrics {
 public:
  // Listens and serves at once. Errors as HttpServer::Start.
  static Result<std::unique_ptr<LiveMetrics>> Start(const HostPort& listen);

  const HostPort& address() const { return server_->addresses().front(); }

  // Threads: one at a time, beside those that scrape.
  void SetWanted(std::uint64_t connections);
  void SetConnections(std::int64_t ready, std::uint64_t failed);
  void Add(const IntervalFigures& second, std::uint64_t planned);

 private:
  LiveMetrics() = default;
  std::string Page() const;

  mutable std::mutex mutex_;
  IntervalFigures sum_;
  std::uint64_t planned_ = 0;
  std::uint64_t wanted_ = 0;
  std::int64_t ready_ = 0;
  std::uint64_t failed_ = 0;
  std::unique_ptr<HttpServer> server_;  // Last: its threads use the rest.
};

}  // namespace atalaya::stress
