// Reads any bytes as a request to the API: a method and a path, a query, and after an empty line a
// form. Whatever comes, the answer is one of the API's, and of one in JSON the whole is UTF-8 and
// closed.

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "alertd/api/api.h"
#include "base/check.h"
#include "telemetry/utf8.h"

namespace {

using atalaya::FakeClock;
using atalaya::HttpRequest;
using atalaya::HttpResponse;
using atalaya::alertd::Api;
using atalaya::alertd::ApiOptions;
using atalaya::history::Store;
using atalaya::history::StoreOptions;
using atalaya::promql::Engine;
using atalaya::promql::EngineOptions;

// A store of a few series that ends, with its file, with the process.
class Fixture {
 public:
  Fixture() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    StoreOptions options;
    options.path = folder_ + "/history.db";
    options.clock = &clock_;
    store_ = std::move(*Store::Open(options));
    for (int i = 0; i < 20; ++i) {
      for (const char* job : {"a", "b"}) {
        const atalaya::telemetry::LabelledSample sample{
            atalaya::telemetry::Labels({{"__name__", "up"}, {"job", job}}),
            {clock_.NowMs(), i * 0.5}};
        ATALAYA_CHECK(store_->Append({&sample, 1}));
      }
      clock_.Advance(std::chrono::seconds(15));
    }
    EngineOptions small;
    small.max_samples = 20'000;
    engine_ = std::make_unique<Engine>(*store_, small);
    ApiOptions api;
    api.store = store_.get();
    api.engine = engine_.get();
    api.clock = &clock_;
    api_ = std::make_unique<Api>(api);
  }
  ~Fixture() {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  HttpResponse Handle(const HttpRequest& request) const { return api_->Handle(request); }

 private:
  const std::string folder_ =
      std::filesystem::temp_directory_path() / ("atalaya-fuzz-" + std::to_string(getpid()));
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Api> api_;
};

std::string_view TakeLine(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Fixture fixture;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  HttpRequest request;
  request.method = TakeLine(rest);
  request.path = "/" + std::string(TakeLine(rest));
  request.query = TakeLine(rest);
  request.body = rest;
  request.headers = {{"host", "localhost"}};
  const HttpResponse response = fixture.Handle(request);
  ATALAYA_CHECK(response.status >= 200 && response.status < 600);
  if (response.content_type != "application/json" || response.body.empty()) return 0;
  // Alertmanager's API answers with lists and texts, too.
  const std::string ends{response.body.front(), response.body.back()};
  ATALAYA_CHECK(ends == "{}" ||
                (request.path.starts_with("/api/v2/") && (ends == "[]" || ends == "\"\"")));
  ATALAYA_CHECK(atalaya::telemetry::IsUtf8(response.body));
  return 0;
}
