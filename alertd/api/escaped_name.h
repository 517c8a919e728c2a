#pragma once

#include <string>
#include <string_view>

namespace atalaya::alertd {

// The name that `name` stands for in a path: "U__" in front says that "__" is '_' and "_2e_" the
// character of that hexadecimal code point, as Prometheus and Grafana write UTF-8 names. Any other
// name, and one that is wrongly written so, is itself.
std::string UnescapeName(std::string_view name);

}  // namespace atalaya::alertd
