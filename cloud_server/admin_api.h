#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/http_server.h"
#include "base/net.h"
#include "base/result.h"
#include "cloud_server/client_report.h"

namespace atalaya::cloud_server {

struct Hub;

// `[admin]` of the configuration. Without that table there is no API, and nothing of it runs.
struct AdminConfig {
  bool enabled = false;
  HostPort listen{"127.0.0.1", 1880};
  std::string token_file;   // "": `admin.token` in the data folder, made where it is missing.
  std::string token_place;  // Begins messages about it.

  static AdminConfig Read(ConfigTable* root);  // Notes faults with `root`'s file.
};

// Reads the token of `config`, or makes one in `data_dir`: a file of mode 0600. kRefused where
// others may read it, kInvalid where what it holds is too short to be one.
Result<std::string> LoadAdminToken(const AdminConfig& config, const std::string& data_dir);

// How a server is emptied.
struct DrainOrder {
  std::chrono::milliseconds within{30'000};
  std::string use_server;  // What 5.0 clients are told to use instead; "" for none.
  bool end = true;         // The process ends afterwards; else it stays, empty.
};

inline constexpr std::chrono::milliseconds kLongestDrain{3'600'000};

// The HTTP API for operators; docs/reference/cloud_server.md describes it. Every request but
// /-/healthy needs the token. Sessions are reached by messages to the loops that own them, each
// with a deadline of kAdminDeadline; a loop that does not answer is a 503.
// Threads: those of its HTTP server; SetToken any.
class AdminApi {
 public:
  // `hub` outlives it. `drain` is called once, with the first order to drain, on an HTTP thread.
  static Result<std::unique_ptr<AdminApi>> Start(const AdminConfig& config, std::string token,
                                                 Hub* hub,
                                                 std::function<void(const DrainOrder&)> drain);

  void SetToken(std::string token);
  HostPort address() const { return server_->addresses().front(); }

 private:
  AdminApi(std::string token, Hub* hub, std::function<void(const DrainOrder&)> drain);
  HttpResponse Answer(const HttpRequest& request);
  bool HasToken(const HttpRequest& request) const;
  HttpResponse Healthy();
  HttpResponse List(const HttpRequest& request);
  HttpResponse Inspect(const std::string& client_id);
  HttpResponse Disconnect(const std::string& client_id);
  HttpResponse Drain(const HttpRequest& request);

  Hub* const hub_;
  const std::function<void(const DrainOrder&)> drain_;
  mutable std::mutex mutex_;
  std::string token_;
  bool draining_ = false;
  std::unique_ptr<HttpServer> server_;
};

inline constexpr std::chrono::milliseconds kAdminDeadline{2'000};

// The query of a listing, as `key=value` pairs; kInvalid names the pair and what it should be.
Result<ClientQuery> ParseClientQuery(std::string_view query);

// The body of POST /api/v1/drain, JSON or nothing; kInvalid names what is wrong.
Result<DrainOrder> ParseDrainOrder(const std::string& body);

}  // namespace atalaya::cloud_server
