// Serves the API over the samples of an OpenMetrics page, which each have a timestamp: what the
// differential test asks. Ends with its standard input.

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "alertd/api/api.h"
#include "base/file.h"
#include "base/log.h"
#include "telemetry/text_reader.h"

namespace atalaya::alertd {
namespace {

// The samples of a store without its sums by minute and hour, which Prometheus does not have.
class SamplesOnly final : public telemetry::SeriesSource {
 public:
  explicit SamplesOnly(const history::Store& store) : store_(store) {}
  Result<std::vector<telemetry::SeriesSamples>> Select(
      const telemetry::SelectRequest& request) const override {
    return store_.Select(request);
  }

 private:
  const history::Store& store_;
};

constexpr std::size_t kBatch = 10'000;  // Samples of one Append.

Status Fill(history::Store& store, std::span<const telemetry::LabelledSample> samples) {
  for (std::size_t i = 0; i < samples.size(); i += kBatch) {
    Status done = store.Append(samples.subspan(i, std::min(kBatch, samples.size() - i)));
    if (!done) return done;
  }
  const std::uint64_t accepted = store.Stats().accepted;
  if (accepted == samples.size()) return {};
  return Fail(ErrorCode::kRefused, "the store took {} of {} samples", accepted, samples.size());
}

Status Serve(const std::string& page_path, const std::string& folder) {
  const Result<std::string> page = ReadFile(page_path);
  if (!page) return Forward(page.error());
  telemetry::TextReaderOptions reading;
  reading.format = telemetry::TextFormat::kOpenMetrics;
  Result<telemetry::TextPage> read = telemetry::ReadTextPage(*page, reading);
  if (!read) return Forward(read.error());
  auto& samples = read->samples;
  std::stable_sort(samples.begin(), samples.end(), [](const auto& a, const auto& b) {
    return a.sample.time_ms < b.sample.time_ms;
  });
  if (samples.empty()) return Fail(ErrorCode::kInvalid, "{}: no samples", page_path);
  FakeClock clock(samples.back().sample.time_ms);
  history::StoreOptions options;
  options.path = folder + "/history.db";
  options.clock = &clock;
  auto store = history::Store::Open(options);
  if (!store) return Forward(store.error());
  if (Status filled = Fill(**store, samples); !filled) return filled;

  const SamplesOnly samples_only(**store);
  const promql::Engine engine(samples_only);
  ApiOptions api_options;
  api_options.store = store->get();
  api_options.engine = &engine;
  Api api(api_options);
  HttpServerOptions http;
  http.listen = {{"127.0.0.1", 0}};
  auto server =
      HttpServer::Start(http, [&api](const HttpRequest& request) { return api.Handle(request); });
  if (!server) return Forward(server.error());
  std::printf("ready query_server http=%s\n", (*server)->addresses()[0].ToString().c_str());
  std::fflush(stdout);
  while (std::cin.get() != EOF) {
  }
  return {};
}

}  // namespace
}  // namespace atalaya::alertd

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s PAGE FOLDER\n", argv[0]);
    return 2;
  }
  atalaya::InitLog("query_server", atalaya::LogLevel::kWarning);
  const atalaya::Status served = atalaya::alertd::Serve(argv[1], argv[2]);
  if (served) return 0;
  std::fprintf(stderr, "query_server: %s\n", served.error().message.c_str());
  return 1;
}
