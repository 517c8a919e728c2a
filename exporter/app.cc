#include "exporter/app.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdio>

#include "exporter/memory.h"
#include "exporter/scrape_context.h"

namespace atalaya::exporter {
namespace {

constexpr std::chrono::milliseconds kStopPatience{2000};

// Files of procfs and sysfs stay open, beside the clients' connections.
void RaiseFileLimit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

struct App::Front {
  Front(const Options& options, std::vector<NamedCollector> collectors,
        const GatherOptions& gathering, std::shared_ptr<ScrapeContext> context)
      : baton(Baton::Create()),
        gatherer(std::move(collectors), gathering, baton, std::move(context)),
        pages(options.telemetry_path, &gatherer, options.exporter_metrics ? &self : nullptr) {}

  std::shared_ptr<Baton> baton;
  SelfMetrics self;
  Gatherer gatherer;
  Pages pages;
  std::unique_ptr<PageServer> server;
};

Result<std::unique_ptr<App>> App::Create(const Options& options) {
  ShareOneHeap();
  RaiseFileLimit();
  CollectorOptions collector_options = options.collector_options;
  collector_options.context = std::make_shared<ScrapeContext>(
      collector_options.procfs, collector_options.sysfs, *collector_options.clock);
  Options with_context = options;
  with_context.collector_options = collector_options;
  std::vector<NamedCollector> collectors;
  for (const CollectorInfo& info : AllCollectors()) {
    const auto& chosen = options.collectors;
    if (std::find(chosen.begin(), chosen.end(), info.name) == chosen.end()) continue;
    Result<std::unique_ptr<Collector>> collector = info.create(collector_options);
    if (!collector) return Forward(collector.error());
    collectors.push_back({std::string(info.name), std::move(*collector), info.of_devices});
  }
  return Create(with_context, std::move(collectors), {});
}

Result<std::unique_ptr<App>> App::Create(const Options& options,
                                         std::vector<NamedCollector> collectors,
                                         const GatherOptions& gathering) {
  auto front = std::make_shared<Front>(options, std::move(collectors), gathering,
                                       options.collector_options.context);
  PageServerOptions serving;
  serving.listen = options.listen;
  Result<std::unique_ptr<PageServer>> server = PageServer::Create(serving, &front->pages);
  if (!server) return Forward(server.error());
  front->server = std::move(*server);
  Baton::Work work;
  work.turn = [front] { front->server->Turn(); };
  work.overdue = [front] { front->gatherer.Overdue(); };
  front->baton->Start(std::move(work));
  return std::unique_ptr<App>(new App(std::move(front)));
}

App::~App() {
  front_->baton->Stop(kStopPatience, [this] { front_->server->WakeUp(); });
}

const std::vector<HostPort>& App::addresses() const { return front_->server->addresses(); }

void App::Run(StopSignal& stop) {
  std::string listening;
  for (const HostPort& address : addresses()) {
    listening += (listening.empty() ? "" : ",") + address.ToString();
  }
  std::printf("ready cloud_exporter http=%s\n", listening.c_str());
  std::fflush(stdout);
  ReleaseStartupMemory();
  while (stop.Wait() != StopSignal::Kind::kStop) {
  }
}

}  // namespace atalaya::exporter
