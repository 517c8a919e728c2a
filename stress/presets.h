#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "stress/scenario.h"

namespace atalaya::stress {

// The names of the presets that have one: "p2p", "ramp" ...
std::vector<std::string> PresetNames();

// Each preset with its description, a line each, and the names of any size.
std::string ListPresets();

// A preset as the scenario file that it is, to be shown and changed; kNotFound for another name.
// Besides the presets there are those of the Open MQTT Benchmark Suite, of any size:
// conn-tcp-CONNECTIONS-RATE, and p2p-, fanout- and sharedsub-PUBLISHERS-SUBSCRIBERS-TOPICS-RATE
// with K and M for thousands and millions; rates are of deliveries.
Result<std::string> PresetText(std::string_view name);

}  // namespace atalaya::stress
