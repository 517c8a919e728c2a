#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/http_client.h"
#include "base/result.h"
#include "stress/run_record.h"

namespace atalaya::stress {

// Asks cloud_alertd (or Prometheus) ten times a second which alerts fire, on a thread of its own.
class AlertWatch {
 public:
  // `url`: "http://127.0.0.1:9480"; `token`: what it asks for, or "". kIo where it does not answer,
  // kInvalid where its answer is no list of alerts.
  static Result<std::unique_ptr<AlertWatch>> Start(const std::string& url,
                                                   const std::string& token);
  ~AlertWatch();

  // What fired since it was started, in order; times are of the steady clock. Threads: any.
  std::vector<AlertEvent> Events() const;
  // How often it was asked in vain.
  std::uint64_t failures() const { return failures_.load(); }

 private:
  AlertWatch(std::string url, std::string token);
  Status Ask(bool first);
  void Run();

  std::string url_;
  std::string token_;
  HttpClient client_;
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::vector<AlertEvent> events_;
  std::map<std::string, std::size_t> firing_;  // By name and labels: index into events_.
  std::thread thread_;
};

}  // namespace atalaya::stress
