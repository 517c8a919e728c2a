#include <cstdio>

#include "base/stop_signal.h"
#include "stress/app.h"
#include "stress/environment.h"
#include "stress/options.h"
#include "stress/presets.h"

namespace {

using namespace atalaya;

constexpr int kRuntimeError = 1;
constexpr int kUsageError = 2;

int Fail(const Error& error, int exit_code) {
  std::fprintf(stderr, "cloud_stress: %s\n", error.message.c_str());
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  Result<stress::Options> options = stress::ParseOptions(argc, argv);
  if (!options) return Fail(options.error(), kUsageError);
  if (options->command == stress::CommandWord::kPresets) {
    std::fputs(stress::ListPresets().c_str(), stdout);
    return 0;
  }
  if (options->command == stress::CommandWord::kShow) {
    std::fputs(options->scenario_text.c_str(), stdout);
    return 0;
  }
  StopSignal stop = StopSignal::Install();  // Before the first thread, which inherits the mask.

  Result<stress::App> app =
      stress::App::Create(*options, stress::DescribeEnvironment(argc, argv, options->scenario));
  if (!app) return Fail(app.error(), kRuntimeError);
  Result<int> ended = app->Run(stop);
  return ended ? *ended : Fail(ended.error(), kRuntimeError);
}
