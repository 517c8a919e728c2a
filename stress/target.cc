#include "stress/target.h"

#include <netdb.h>

#include <cstring>
#include <memory>
#include <utility>

namespace atalaya::stress {

std::string Target::ToString() const {
  const char* const scheme = websocket ? (tls ? "wss" : "ws") : (tls ? "mqtts" : "mqtt");
  return fmt::format("{}://{}{}", scheme, address.ToString(), websocket ? path : "");
}

Result<Target> ParseTarget(std::string_view text) {
  const auto wrong = [text] {
    return Fail(ErrorCode::kInvalid,
                "\"{}\" is no target (write mqtt://HOST:PORT, mqtts://HOST:PORT, "
                "ws://HOST:PORT/PATH or wss://HOST:PORT/PATH)",
                text);
  };
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return wrong();
  const std::string_view scheme = text.substr(0, colon);
  std::string_view rest = text.substr(colon + 3);
  Target target;
  target.websocket = scheme == "ws" || scheme == "wss";
  target.tls = scheme == "mqtts" || scheme == "wss";
  if (!target.websocket && !target.tls && scheme != "mqtt") return wrong();
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    if (!target.websocket) return wrong();
    target.path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  if (target.path.find_first_of(" \t\r\n") != std::string::npos) return wrong();
  Result<HostPort> address = ParseHostPort(rest);
  if (!address || address->host.empty() || address->port == 0) return wrong();
  target.address = std::move(*address);
  return target;
}

Result<TargetAddress> ResolveTarget(const HostPort& target) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      getaddrinfo(target.host.c_str(), std::to_string(target.port).c_str(), &hints, &found);
  if (error != 0) {
    return Fail(ErrorCode::kNotFound, "cannot resolve {}: {}", target.host, gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  TargetAddress address;
  address.length = found->ai_addrlen;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  return address;
}

}  // namespace atalaya::stress
