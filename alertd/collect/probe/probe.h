#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "alertd/collect/probe/probe_config.h"
#include "alertd/collect/probe/probe_outcome.h"

namespace atalaya::alertd {

struct ProbeTools;

struct ProbeEvents {
  std::function<void(ProbeOutcome)> done;  // A look has ended.
  std::function<void()> stirred;           // Something happened between two looks: look again.
};

// Looks at one target in one way. Nothing here blocks. Threads: that of the loop, or any while it
// does not run.
class Probe {
 public:
  virtual ~Probe() = default;  // A look under way ends without a word.

  // Begins a look; `done` follows once, within the probe's timeout, and perhaps before this
  // returns. None may be under way.
  virtual void Begin() = 0;

 protected:
  explicit Probe(ProbeEvents events) : events_(std::move(events)) {}
  const ProbeEvents events_;
};

// The probe that `config` asks for; `config` and `tools` outlive it.
std::unique_ptr<Probe> MakeProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events);

// One for each kind.
std::unique_ptr<Probe> MakeHttpProbe(const ProbeConfig&, ProbeTools&, ProbeEvents);
std::unique_ptr<Probe> MakeTcpProbe(const ProbeConfig&, ProbeTools&, ProbeEvents);
std::unique_ptr<Probe> MakeMqttProbe(const ProbeConfig&, ProbeTools&, ProbeEvents);
std::unique_ptr<Probe> MakeIcmpProbe(const ProbeConfig&, ProbeTools&, ProbeEvents);
std::unique_ptr<Probe> MakeFileProbe(const ProbeConfig&, ProbeTools&, ProbeEvents);
std::unique_ptr<Probe> MakeCommandProbe(const ProbeConfig&, ProbeTools&, ProbeEvents);

}  // namespace atalaya::alertd
