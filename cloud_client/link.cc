#include "cloud_client/link.h"

#include "base/file.h"

namespace atalaya::cloud_client {
namespace {

constexpr std::string_view kPlainScheme = "mqtt://";
constexpr std::string_view kTlsScheme = "mqtts://";
constexpr std::uint16_t kPlainPort = 1883;
constexpr std::uint16_t kTlsPort = 8883;
constexpr const char* kDefaultServer = "mqtt://127.0.0.1:1883";

Result<Protocol> ParseProtocol(std::string_view text) {
  if (text.empty()) return Protocol::kNewest;
  if (text == "5" || text == "mqttv5") return Protocol::kMqtt5;
  if (text == "3.1.1" || text == "311" || text == "mqttv311") return Protocol::kMqtt311;
  return Fail(ErrorCode::kInvalid, "\"{}\" is not spoken (write 5 or 3.1.1)", text);
}

// The first line; what an editor adds is not part of a password.
Result<std::string> ReadPassword(const std::string& file) {
  if (Status secret = CheckSecretFile(file); !secret) return Forward(secret.error());
  Result<std::string> text = ReadFile(file);
  if (!text) return text;
  text->resize(std::min(text->size(), text->find('\n')));
  return text;
}

tl::unexpected<Error> At(std::string_view flag, const Error& error) {
  return Fail(error.code, "{}: {}", flag, error.message);
}

}  // namespace

Result<ServerUrl> ParseServer(std::string_view text) {
  const auto invalid = [&] {
    return Fail(ErrorCode::kInvalid, "\"{}\" is not a server (write {})", text, kDefaultServer);
  };
  const bool tls = text.starts_with(kTlsScheme);
  if (!tls && !text.starts_with(kPlainScheme)) return invalid();
  std::string address(text.substr(tls ? kTlsScheme.size() : kPlainScheme.size()));
  if (address.ends_with('/')) address.pop_back();
  const std::size_t host_end = address.find(']') == std::string::npos ? 0 : address.find(']');
  if (address.find(':', host_end) == std::string::npos) {
    address += fmt::format(":{}", tls ? kTlsPort : kPlainPort);
  }
  Result<HostPort> parsed = ParseHostPort(address);
  if (!parsed || parsed->host.empty() || parsed->port == 0) return invalid();
  return ServerUrl{*parsed, tls};
}

void LinkWords::AddTo(Flags* flags) {
  flags->Add(
      "server", &servers,
      fmt::format("mqtt://HOST[:PORT], or mqtts://HOST[:PORT] with TLS; repeatable: tried in "
                  "this order (default {})",
                  kDefaultServer));
  flags->Add("user,u", &user, "user name");
  flags->Add("password-file", &password_file, "file whose first line is the password");
  flags->Add("tls-ca", &tls.ca_file,
             "who may sign the server's certificate (default: the system's)");
  flags->Add("cert", &tls.certificate_file, "this client's certificate");
  flags->Add("key", &tls.key_file, "its key");
  flags->Add("mqtt-version,V", &mqtt_version,
             "5 or 3.1.1 (default: 5, and 3.1.1 with a server that refuses it)");
}

void LinkWords::Read(ConfigTable table) {
  const auto take = [&](std::string_view key, std::string* word) {
    const std::string value = table.String(key);
    if (word->empty()) *word = value;
    return &table;
  };
  std::vector<std::string> named;
  if (table.KindOf("server") == ConfigTable::Kind::kArray) {
    named = table.Strings("server");
  } else if (table.Has("server")) {
    named = {table.String("server")};
  }
  for (const std::string& server : named) {
    if (const auto parsed = ParseServer(server); !parsed) {
      table.Fault("server", parsed.error().message);
    }
  }
  if (servers.empty()) servers = std::move(named);
  take("user", &user);
  take("password_file", &password_file);
  take("tls_ca", &tls.ca_file);
  take("cert", &tls.certificate_file);
  take("key", &tls.key_file);
  take("spool", &spool);
  if (const auto known = ParseProtocol(table.String("mqtt_version")); !known) {
    table.Fault("mqtt_version", known.error().message);
  }
  take("mqtt_version", &mqtt_version);
}

Result<Link> Understand(const LinkWords& words) {
  Link link;
  const std::vector<std::string> fallback = {kDefaultServer};
  for (const std::string& word : words.servers.empty() ? fallback : words.servers) {
    const Result<ServerUrl> server = ParseServer(word);
    if (!server) return At("--server", server.error());
    if (!link.servers.empty() && server->tls != link.use_tls) {
      return Fail(ErrorCode::kInvalid, "--server: all with TLS (mqtts://) or none");
    }
    link.servers.push_back(server->address);
    link.use_tls = server->tls;
  }
  link.tls = words.tls;
  if (!link.use_tls &&
      !(link.tls.ca_file + link.tls.certificate_file + link.tls.key_file).empty()) {
    return Fail(ErrorCode::kInvalid, "--tls-ca, --cert, --key: need --server mqtts://HOST");
  }
  if (link.tls.certificate_file.empty() != link.tls.key_file.empty()) {
    return Fail(ErrorCode::kInvalid, "--cert, --key: one needs the other");
  }
  const Result<Protocol> protocol = ParseProtocol(words.mqtt_version);
  if (!protocol) return At("--mqtt-version", protocol.error());
  link.protocol = *protocol;
  link.user = words.user;
  if (!words.password_file.empty()) {
    if (words.user.empty()) return Fail(ErrorCode::kInvalid, "--password-file: needs --user");
    Result<std::string> password = ReadPassword(words.password_file);
    if (!password) return At("--password-file", password.error());
    link.password = std::move(*password);
  }
  link.spool = words.spool;
  return link;
}

std::string Link::ToString() const {
  std::string text;
  for (const HostPort& server : servers) {
    if (!text.empty()) text += ',';
    text += use_tls ? kTlsScheme : kPlainScheme;
    text += server.ToString();
  }
  return text;
}

Status Link::Apply(ClientOptions* options) const {
  options->servers = servers;
  options->protocol = protocol;
  if (!user.empty()) options->username = user;
  if (!password.empty()) options->password = password;
  if (use_tls) {
    Result<std::shared_ptr<const Tls>> loaded = LoadTls(tls);
    if (!loaded) return Forward(loaded.error());
    options->tls = std::move(*loaded);
  }
  if (!spool.empty()) {
    options->clean_session = false;
    options->spool = {.directory = spool, .max_bytes = kDefaultSpoolBytes};
  }
  return {};
}

}  // namespace atalaya::cloud_client
