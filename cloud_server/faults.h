#pragma once

#include "mqtt/decode.h"
#include "telemetry/stats_segment.h"

namespace atalaya::cloud_server {

// The counter of packets that were malformed in this way.
telemetry::Stat MalformedStat(mqtt::Fault fault);

}  // namespace atalaya::cloud_server
