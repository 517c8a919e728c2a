#include "alertd/collect/probe/probe.h"

namespace atalaya::alertd {

std::unique_ptr<Probe> MakeProbe(const ProbeConfig& config, ProbeTools& tools, ProbeEvents events) {
  switch (config.kind) {
    case ProbeKind::kHttp:
      return MakeHttpProbe(config, tools, std::move(events));
    case ProbeKind::kIcmp:
      return MakeIcmpProbe(config, tools, std::move(events));
    case ProbeKind::kMqtt:
      return MakeMqttProbe(config, tools, std::move(events));
    case ProbeKind::kFile:
      return MakeFileProbe(config, tools, std::move(events));
    case ProbeKind::kCommand:
      return MakeCommandProbe(config, tools, std::move(events));
    case ProbeKind::kTcp:
      break;
  }
  return MakeTcpProbe(config, tools, std::move(events));
}

}  // namespace atalaya::alertd
