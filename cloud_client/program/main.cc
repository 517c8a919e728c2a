#include <malloc.h>

#include <cstdio>
#include <string_view>

#include "base/log.h"
#include "base/stop_signal.h"
#include "base/version.h"
#include "cloud_client/agent.h"
#include "cloud_client/commands.h"

namespace {

using namespace atalaya;

constexpr int kUsageError = 2;
constexpr int kRuntimeError = 1;
constexpr int kNobodyThere = 3;
constexpr char kUsage[] =
    "Usage: cloud_client COMMAND [flags]\n\n"
    "  pub    publish packets\n"
    "  send   send packets to one client\n"
    "  sub    print packets as they come\n"
    "  agent  send this machine's readings as packets\n\n"
    "Each command answers --help.\n";

int End(const Error& error, int code) {
  std::fprintf(stderr, "cloud_client: %s\n", error.message.c_str());
  return code;
}
int End(const Status& status) { return status ? 0 : End(status.error(), kRuntimeError); }

int Agent(int argc, char** argv) {
  Result<cloud_client::AgentOptions> options = cloud_client::ParseAgent(argc, argv);
  if (!options) return End(options.error(), kUsageError);
  StopSignal stop = StopSignal::Install();
  Result<cloud_client::AgentConfig> config = cloud_client::LoadAgentConfig(*options);
  if (!config) return End(config.error(), kUsageError);
  return options->check_config ? 0 : End(cloud_client::RunAgent(*options, *config, stop));
}

int Sub(int argc, char** argv) {
  Result<cloud_client::SubOptions> options = cloud_client::ParseSub(argc, argv);
  if (!options) return End(options.error(), kUsageError);
  StopSignal stop = StopSignal::Install();
  return End(cloud_client::RunSub(*options, stop));
}

int Pub(int argc, char** argv) {
  Result<cloud_client::PubOptions> options = cloud_client::ParsePub(argc, argv);
  if (!options) return End(options.error(), kUsageError);
  const Result<cloud_client::PubOutcome> outcome = cloud_client::RunPub(*options);
  return outcome ? 0 : End(outcome.error(), kRuntimeError);
}

int Send(int argc, char** argv) {
  Result<cloud_client::PubOptions> options = cloud_client::ParseSend(argc, argv);
  if (!options) return End(options.error(), kUsageError);
  const Result<cloud_client::PubOutcome> outcome = cloud_client::RunPub(*options);
  if (!outcome) return End(outcome.error(), kRuntimeError);
  if (outcome->unmatched == 0) return 0;
  std::fprintf(stderr, "cloud_client: %s: no matching subscribers (%zu packets)\n",
               options->to.c_str(), outcome->unmatched);
  return kNobodyThere;
}

}  // namespace

int main(int argc, char** argv) {
  mallopt(M_ARENA_MAX, 1);  // A second heap for the client's thread would only cost memory.
  InitLog("cloud_client", LogLevel::kInfo);
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "pub") return Pub(argc - 1, argv + 1);
  if (command == "send") return Send(argc - 1, argv + 1);
  if (command == "sub") return Sub(argc - 1, argv + 1);
  if (command == "agent") return Agent(argc - 1, argv + 1);
  if (command == "--help") return std::fputs(kUsage, stdout) < 0 ? kRuntimeError : 0;
  if (command == "--version") return std::printf("cloud_client %s\n", kVersion) < 0 ? 1 : 0;
  std::fprintf(stderr, "cloud_client: \"%s\" is not a command\n%s", argc > 1 ? argv[1] : "",
               kUsage);
  return kUsageError;
}
