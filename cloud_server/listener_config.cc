#include "cloud_server/listener_config.h"

#include <fmt/format.h>

namespace atalaya::cloud_server {
namespace {

Protocol ParseProtocol(const std::string& name) {
  for (const Protocol protocol : {Protocol::kMqtts, Protocol::kWs, Protocol::kWss}) {
    if (name == ProtocolName(protocol)) return protocol;
  }
  return Protocol::kMqtt;
}

void ReadTls(ConfigTable* table, ListenerConfig* listener) {
  TlsServerOptions& tls = listener->tls;
  const std::string certificates =
      table->OneOf("client_certificates", "none", {"none", "optional", "required"});
  if (certificates == "optional") tls.client_certificates = ClientCertificates::kOptional;
  if (certificates == "required") tls.client_certificates = ClientCertificates::kRequired;
  if (!HasTls(listener->protocol)) {
    for (const char* key : {"certificate_file", "key_file", "ca_file", "client_certificates"}) {
      if (table->Has(key)) table->Fault(key, "is for the protocols mqtts and wss");
    }
    return;
  }
  tls.certificate_file = table->RequiredString("certificate_file");
  tls.key_file = table->RequiredString("key_file");
  tls.ca_file = table->String("ca_file");
  const bool wants_ca = tls.client_certificates != ClientCertificates::kNone;
  if (wants_ca && tls.ca_file.empty()) {
    table->Fault("client_certificates", "needs ca_file: who signs the clients' certificates");
  }
  if (!wants_ca && !tls.ca_file.empty()) {
    table->Fault("ca_file", R"(is for client_certificates = "optional" or "required")");
  }
}

ListenerConfig ReadListener(ConfigTable table) {
  ListenerConfig listener;
  listener.place = table.Place().ToString();
  const std::string address = table.RequiredString("address");
  if (Result<HostPort> parsed = ParseHostPort(address)) {
    listener.address = *parsed;
  } else if (!address.empty()) {
    table.Fault("address", parsed.error().message);
  }
  listener.protocol =
      ParseProtocol(table.OneOf("protocol", "mqtt", {"mqtt", "mqtts", "ws", "wss"}));
  ReadTls(&table, &listener);
  listener.allow_remote = table.Bool("allow_remote", false);
  listener.origins.allowed = table.Strings("origins");
  if (!HasWebSocket(listener.protocol) && table.Has("origins")) {
    table.Fault("origins", "is for the protocols ws and wss");
  }
  return listener;
}

}  // namespace

std::string_view ProtocolName(Protocol protocol) {
  switch (protocol) {
    case Protocol::kMqtt:
      return "mqtt";
    case Protocol::kMqtts:
      return "mqtts";
    case Protocol::kWs:
      return "ws";
    case Protocol::kWss:
      return "wss";
  }
  return "";
}

std::vector<ListenerConfig> ReadListeners(ConfigTable root) {
  std::vector<ListenerConfig> listeners;
  for (ConfigTable& table : root.Tables("listener")) {
    listeners.push_back(ReadListener(table));
    if (listeners.size() > kMaxListeners) {
      table.Fault(fmt::format("more than {} listeners", kMaxListeners));
      break;
    }
  }
  return listeners;
}

Status CheckListener(const ListenerConfig& listener, const AccessConfig& access) {
  const bool certificates = listener.tls.client_certificates == ClientCertificates::kRequired;
  const Status may = CheckListener(
      ListenerTerms{listener.address.host, listener.allow_remote, certificates}, access);
  if (!may) return Fail(may.error().code, "{}: {}", listener.place, may.error().message);
  return {};
}

}  // namespace atalaya::cloud_server
