#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/flags.h"
#include "base/net.h"
#include "base/result.h"
#include "cloud_client/client.h"
#include "cloud_client/tls.h"

// What all commands have in common: which server, as whom, and how safely.
namespace atalaya::cloud_client {

// "mqtt://HOST[:PORT]" or, with TLS, "mqtts://HOST[:PORT]"; without a port 1883 or 8883.
struct ServerUrl {
  HostPort address;
  bool tls = false;
};
Result<ServerUrl> ParseServer(std::string_view text);

// As flags or a file say it; empty: not said.
struct LinkWords {
  std::vector<std::string> servers;
  std::string user, password_file, mqtt_version;
  TlsOptions tls;
  std::string spool;

  void AddTo(Flags* flags);
  // Reads the keys of the agent's file with the same names; flags win. Faults are noted in `table`.
  void Read(ConfigTable table);
};

// The same, understood. Immutable.
struct Link {
  std::vector<HostPort> servers;
  bool use_tls = false;
  TlsOptions tls;
  std::string user, password;
  Protocol protocol = Protocol::kNewest;
  std::string spool;  // Empty: none.

  // "mqtts://box:8883,mqtts://other:8883".
  std::string ToString() const;
  // Puts it into `options`. Where TLS is wanted and this program has none, the one that has it is
  // started in its place (LoadTls).
  Status Apply(ClientOptions* options) const;
};

// kInvalid and the errors of files name the flag or key: "--server: ...". Reads the password file.
Result<Link> Understand(const LinkWords& words);

// Defined by the program (tls_here.cc, tls_elsewhere.cc): MakeTls, or the start of the program that
// has it, with the same arguments.
Result<std::shared_ptr<const Tls>> LoadTls(const TlsOptions& options);

}  // namespace atalaya::cloud_client
