#include "cloud_server/ws_upgrade.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "base/net.h"

namespace atalaya::cloud_server {
namespace {

constexpr std::string_view kKeySuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3.
constexpr std::size_t kKeyCharacters = 24;  // 16 bytes in base64.
constexpr std::string_view kWsVersion = "13";
constexpr std::string_view kGetMethod = "GET ";
constexpr std::string_view kWhatIsHere = "Here speaks MQTT over WebSocket: GET, HTTP/1.1.";

// The few headers that matter; of one that comes twice the values are joined with a comma, as HTTP
// says (RFC 9110, section 5.3).
struct Head {
  std::string_view request_line;
  std::string upgrade;
  std::string connection;
  std::string key;
  std::string version;
  std::string protocols;
  std::string host;
  std::string origin;
  bool has_origin = false;
  bool sound = true;  // Every line is a header.
};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

template <typename Wanted>
bool HasElement(std::string_view list, const Wanted& wanted) {
  while (true) {
    const std::size_t comma = list.find(',');
    if (wanted(Trim(list.substr(0, comma)))) return true;
    if (comma == list.npos) return false;
    list.remove_prefix(comma + 1);
  }
}

bool HasToken(std::string_view list, std::string_view token) {
  return HasElement(list, [&](std::string_view item) { return EqualsIgnoringCase(item, token); });
}

bool HasProtocol(std::string_view list, std::string_view protocol) {
  return HasElement(list, [&](std::string_view item) { return item == protocol; });
}

bool IsFieldName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != ':' && c != ',' && c != '"';
  });
}

bool IsFieldValue(std::string_view value) {
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; });
}

void TakeHeader(std::string_view name, std::string_view value, Head* head) {
  const struct {
    std::string_view name;
    std::string* value;
  } wanted[] = {
      {"upgrade", &head->upgrade},
      {"connection", &head->connection},
      {"sec-websocket-key", &head->key},
      {"sec-websocket-version", &head->version},
      {"sec-websocket-protocol", &head->protocols},
      {"host", &head->host},
      {"origin", &head->origin},
  };
  for (const auto& field : wanted) {
    if (!EqualsIgnoringCase(name, field.name)) continue;
    if (!field.value->empty()) field.value->append(",");
    field.value->append(value);
  }
  if (EqualsIgnoringCase(name, "origin")) head->has_origin = true;
}

Head ParseHead(std::string_view text) {
  Head head;
  const std::size_t end = text.find("\r\n");
  head.request_line = text.substr(0, end);
  text.remove_prefix(end + 2);
  while (!text.empty()) {
    const std::size_t line_end = text.find("\r\n");
    const std::string_view line = text.substr(0, line_end);
    text.remove_prefix(line_end + 2);
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == line.npos || !IsFieldName(name) || !IsFieldValue(line.substr(colon + 1))) {
      head.sound = false;
      break;
    }
    TakeHeader(name, Trim(line.substr(colon + 1)), &head);
  }
  return head;
}

bool IsGet(std::string_view line) {
  const std::size_t target = line.find(' ');
  const std::size_t version = line.rfind(' ');
  return target != line.npos && version > target + 1 && line.starts_with(kGetMethod) &&
         line.substr(version + 1) == "HTTP/1.1" && IsFieldValue(line);
}

bool IsKey(std::string_view key) {
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  return key.size() == kKeyCharacters && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, is_base64);
}

// "host" of "host:port" and "[::1]:80"; "::1:80" is how paho writes it.
std::string_view HostOf(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.rfind(':'));
}

bool MayOpen(const Head& head, const OriginRule& origins) {
  if (!head.has_origin) return true;
  for (const std::string& allowed : origins.allowed) {
    if (allowed == "*" || EqualsIgnoringCase(allowed, head.origin)) return true;
  }
  if (!origins.allowed.empty()) return false;
  const std::size_t scheme_end = head.origin.find("://");
  if (scheme_end == std::string::npos) return false;
  const std::string_view host = HostOf(head.host);
  return EqualsIgnoringCase(HostOf(std::string_view(head.origin).substr(scheme_end + 3)), host) &&
         (IsNumericAddress(host) || EqualsIgnoringCase(host, "localhost"));
}

std::string AcceptKey(std::string_view key) {
  std::string text(key);
  text += kKeySuffix;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned digest_bytes = 0;
  ATALAYA_CHECK(
      EVP_Digest(text.data(), text.size(), digest.data(), &digest_bytes, EVP_sha1(), nullptr) == 1);
  std::array<unsigned char, 2 * EVP_MAX_MD_SIZE> encoded;
  const int size = EVP_EncodeBlock(encoded.data(), digest.data(), static_cast<int>(digest_bytes));
  return {reinterpret_cast<const char*>(encoded.data()), static_cast<std::size_t>(size)};
}

std::string Refusal(std::string_view status, std::string_view why,
                    std::string_view further_header = "") {
  return fmt::format(
      "HTTP/1.1 {}\r\n{}Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n"
      "\r\n{}\n",
      status, further_header, why.size() + 1, why);
}

// Why not, as a whole reply.
std::optional<std::string> Refuse(const Head& head, const OriginRule& origins) {
  if (!head.sound || !IsGet(head.request_line)) {
    return Refusal("400 Bad Request", kWhatIsHere);
  }
  if (!HasToken(head.upgrade, "websocket") || !HasToken(head.connection, "upgrade")) {
    return Refusal("426 Upgrade Required", "Here speaks MQTT over WebSocket.",
                   "Upgrade: websocket\r\n");
  }
  if (head.version != kWsVersion) {
    return Refusal("426 Upgrade Required", "WebSocket version 13 is spoken here.",
                   "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
  }
  if (head.host.empty() || !IsKey(head.key)) {
    return Refusal("400 Bad Request", "Host and a Sec-WebSocket-Key of 16 bytes are needed.");
  }
  if (!HasProtocol(head.protocols, "mqtt") && !HasProtocol(head.protocols, "mqttv3.1")) {
    return Refusal("400 Bad Request", "Sec-WebSocket-Protocol must offer mqtt.");
  }
  if (!MayOpen(head, origins)) {
    return Refusal("403 Forbidden", "Pages of this origin are not let in.");
  }
  return std::nullopt;
}

}  // namespace

Upgrade AnswerUpgrade(std::string_view received, const OriginRule& origins) {
  Upgrade upgrade;
  if (!kGetMethod.starts_with(received.substr(0, kGetMethod.size()))) {
    upgrade.head_bytes = received.size();  // No need to wait for the rest.
    upgrade.reply = Refusal("400 Bad Request", kWhatIsHere);
    return upgrade;
  }
  const std::size_t end = received.substr(0, kUpgradeHeadBytes).find("\r\n\r\n");
  if (end == received.npos) {
    if (received.size() < kUpgradeHeadBytes) return upgrade;
    upgrade.head_bytes = received.size();
    upgrade.reply = Refusal("431 Request Header Fields Too Large",
                            fmt::format("A request has at most {} bytes.", kUpgradeHeadBytes));
    return upgrade;
  }
  upgrade.head_bytes = end + 4;
  const Head head = ParseHead(received.substr(0, upgrade.head_bytes));
  if (std::optional<std::string> refusal = Refuse(head, origins)) {
    upgrade.reply = std::move(*refusal);
    return upgrade;
  }
  upgrade.accepted = true;
  upgrade.reply = fmt::format(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
      AcceptKey(head.key), HasProtocol(head.protocols, "mqtt") ? "mqtt" : "mqttv3.1");
  return upgrade;
}

}  // namespace atalaya::cloud_server
