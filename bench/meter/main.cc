// packet_meter mqtt|nats PORT PID MODE ARGUMENTS...: loads a packet server on loopback from one
// thread and prints, as JSON, what each delivery cost it. Modes and arguments: bench/meter/modes.h,
// and docs/reference/bench.md.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/meter/modes.h"
#include "bench/meter/quit.h"

namespace {

using namespace atalaya::bench;

constexpr unsigned kLongestRunSeconds = 180;  // Then SIGALRM ends the meter.
constexpr double kMostMessages = 50e6;

using Numbers = std::vector<double>;

std::size_t Size(double number) { return static_cast<std::size_t>(number); }
std::int64_t Count(double number) {
  return static_cast<std::int64_t>(std::min(number, kMostMessages));
}

struct Mode {
  std::size_t arguments;
  std::function<void(const Target&, const Numbers&)> run;
};

const std::map<std::string_view, Mode>& Modes() {
  static const std::map<std::string_view, Mode> modes{
      {"p2p",
       {3,
        [](const Target& t, const Numbers& n) {
          RunFlow(t, {1, false, Size(n[0]), Count(n[1]), Count(n[2])});
        }}},
      {"many",
       {4,
        [](const Target& t, const Numbers& n) {
          RunFlow(t, {Size(n[0]), false, Size(n[1]), Count(n[2]), Count(n[3])});
        }}},
      {"fan",
       {4,
        [](const Target& t, const Numbers& n) {
          RunFlow(t, {Size(n[0]), true, Size(n[1]), Count(n[2]), Count(n[3])});
        }}},
      {"q1",
       {3,
        [](const Target& t, const Numbers& n) {
          RunQos1(t, {Size(n[0]), Count(n[1]), Count(n[2]), false});
        }}},
      {"q1_persistent",
       {3,
        [](const Target& t, const Numbers& n) {
          RunQos1(t, {Size(n[0]), Count(n[1]), Count(n[2]), true});
        }}},
      {"pp",
       {2, [](const Target& t, const Numbers& n) { RunRoundTrip(t, Size(n[0]), Count(n[1])); }}},
      {"paced",
       {3,
        [](const Target& t, const Numbers& n) {
          RunPaced(t, std::max<std::size_t>(Size(n[0]), 8), Count(n[1]), n[2]);
        }}},
      {"idle",
       {4,
        [](const Target& t, const Numbers& n) {
          RunIdle(t, {Size(n[0]), n[1] != 0, Size(n[2]), static_cast<int>(n[3])});
        }}},
      {"curve",
       {3,
        [](const Target& t, const Numbers& n) {
          RunCurve(t, {Count(n[0]), n[1], static_cast<int>(n[2])});
        }}},
  };
  return modes;
}

double ParseNumber(const char* text) {
  char* end = nullptr;
  const double number = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(number >= 0)) Quit("\"{}\" is not a number", text);
  return number;
}

// Every connection takes a descriptor.
void RaiseFileLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) Quit("usage: packet_meter mqtt|nats PORT PID MODE ARGUMENTS...");
  const auto mode = Modes().find(argv[4]);
  if (mode == Modes().end()) Quit("no mode \"{}\"", argv[4]);
  Numbers numbers;
  for (int i = 5; i < argc; ++i) numbers.push_back(ParseNumber(argv[i]));
  if (numbers.size() != mode->second.arguments)
    Quit("{} takes {} arguments", argv[4], mode->second.arguments);
  Target target;
  target.protocol = std::string_view(argv[1]) == "nats" ? Protocol::kNats : Protocol::kMqtt;
  target.port = static_cast<std::uint16_t>(ParseNumber(argv[2]));
  target.pid = static_cast<pid_t>(ParseNumber(argv[3]));
  RaiseFileLimit();
  alarm(kLongestRunSeconds);
  mode->second.run(target, numbers);
  return 0;
}
