#include <cstdio>

#include "base/log.h"
#include "base/stop_signal.h"
#include "exporter/app.h"
#include "exporter/options.h"

namespace {

constexpr int kRuntimeError = 1;
constexpr int kUsageError = 2;

int ExitWith(const atalaya::Error& error, int status) {
  std::fprintf(stderr, "cloud_exporter: %s\n", error.message.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace atalaya;
  Result<exporter::Options> options = exporter::ParseOptions(argc, argv);
  if (!options) return ExitWith(options.error(), kUsageError);
  if (options->check_config) return 0;
  InitLog("cloud_exporter", options->log_level);
  StopSignal stop = StopSignal::Install();

  Result<std::unique_ptr<exporter::App>> app = exporter::App::Create(*options);
  if (!app) {
    const bool usage = app.error().code == ErrorCode::kInvalid;
    return ExitWith(app.error(), usage ? kUsageError : kRuntimeError);
  }
  (*app)->Run(stop);
  return 0;
}
