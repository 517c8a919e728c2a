#include "exporter/app.h"

#include <algorithm>
#include <cstdio>

namespace atalaya::exporter {
namespace {

constexpr int kThreads = 48;

}  // namespace

Result<std::unique_ptr<App>> App::Create(const Options& options) {
  std::vector<NamedCollector> collectors;
  for (const CollectorInfo& info : AllCollectors()) {
    const auto& chosen = options.collectors;
    if (std::find(chosen.begin(), chosen.end(), info.name) == chosen.end()) continue;
    Result<std::unique_ptr<Collector>> collector = info.create(options.collector_options);
    if (!collector) return Forward(collector.error());
    collectors.push_back({std::string(info.name), std::move(*collector)});
  }
  std::unique_ptr<App> app(new App(options, std::move(collectors)));
  HttpServerOptions http;
  http.listen = options.listen;
  http.threads = kThreads;
  Pages* pages = &app->pages_;
  Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(
      http, [pages](const HttpRequest& request) { return pages->Answer(request); });
  if (!server) return Forward(server.error());
  app->server_ = std::move(*server);
  return app;
}

App::App(const Options& options, std::vector<NamedCollector> collectors)
    : gatherer_(std::move(collectors), {}), pages_(options.telemetry_path, &gatherer_, &self_) {}

void App::Run(StopSignal& stop) {
  std::string addresses;
  for (const HostPort& address : server_->addresses()) {
    addresses += (addresses.empty() ? "" : ",") + address.ToString();
  }
  std::printf("ready cloud_exporter http=%s\n", addresses.c_str());
  std::fflush(stdout);
  while (stop.Wait() != StopSignal::Kind::kStop) {
  }
}

}  // namespace atalaya::exporter
