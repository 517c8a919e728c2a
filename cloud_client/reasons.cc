#include "cloud_client/reasons.h"

#include <fmt/format.h>

namespace atalaya::cloud_client {
namespace {

std::string_view Words(mqtt::Reason reason) {
  using mqtt::Reason;
  switch (static_cast<std::uint8_t>(reason)) {
    case 0x00:
      return "normal end";
    case static_cast<std::uint8_t>(Reason::kNoMatchingSubscribers):
      return "no matching subscribers";
    case 0x81:
      return "malformed packet";
    case 0x82:
      return "protocol error";
    case 0x83:
      return "not as this server takes it";
    case 0x84:
      return "it does not speak this version of MQTT";
    case 0x85:
      return "it does not accept the client id";
    case 0x86:
      return "wrong user name or password";
    case 0x87:
      return "not authorized";
    case 0x88:
      return "it is not available";
    case 0x89:
      return "it is busy";
    case 0x8A:
      return "banned";
    case 0x8B:
      return "it is shutting down";
    case 0x8C:
      return "bad authentication method";
    case 0x8D:
      return "nothing came for the keep alive";
    case 0x8E:
      return "another client with this id has connected";
    case 0x8F:
      return "the topic filter is not allowed";
    case 0x90:
      return "the topic is not allowed";
    case 0x91:
      return "packet id in use";
    case 0x92:
      return "packet id not known";
    case 0x93:
      return "more packets than its receive maximum";
    case 0x94:
      return "bad topic alias";
    case 0x95:
      return "packet too large";
    case 0x96:
      return "too many packets";
    case 0x97:
      return "quota exceeded";
    case 0x98:
      return "an administrator ended it";
    case 0x99:
      return "the payload is not of its declared format";
    case 0x9A:
      return "it keeps no retained packets";
    case 0x9B:
      return "it does not take this QoS";
    case 0x9C:
    case 0x9D:
      return "another server is to be used";
    case 0x9E:
      return "it has no shared subscriptions";
    case 0x9F:
      return "too many connections";
    case 0xA0:
      return "connected for too long";
    case 0xA1:
      return "it has no subscription identifiers";
    case 0xA2:
      return "it takes no wildcards";
    default:
      return "no reason given";
  }
}

}  // namespace

std::string ReasonText(mqtt::Reason reason, const mqtt::Properties& properties) {
  std::string text = fmt::format("{} (0x{:02X})", Words(reason), static_cast<std::uint8_t>(reason));
  if (const auto why = properties.Text(mqtt::Property::kReasonString)) {
    text += fmt::format(": {}", *why);
  }
  return text;
}

std::string ConnectCodeText(std::uint8_t code) {
  std::string_view words = "no reason that MQTT 3.1.1 knows";
  switch (static_cast<mqtt::ConnectCode>(code)) {
    case mqtt::ConnectCode::kBadVersion:
      words = "it does not speak this version of MQTT";
      break;
    case mqtt::ConnectCode::kBadClientId:
      words = "it does not accept the client id";
      break;
    case mqtt::ConnectCode::kUnavailable:
      words = "it is not available";
      break;
    case mqtt::ConnectCode::kBadCredentials:
      words = "wrong user name or password";
      break;
    case mqtt::ConnectCode::kNotAuthorized:
      words = "not authorized";
      break;
    default:
      break;
  }
  return fmt::format("{} (code {})", words, code);
}

}  // namespace atalaya::cloud_client
