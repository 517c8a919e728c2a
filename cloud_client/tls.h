#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "cloud_client/client.h"

// TLS for the library, in a CMake target of its own (cloud_client_tls): who does without it does
// not load OpenSSL, which costs some 5 MB of memory.
namespace atalaya::cloud_client {

// Files are PEM. A key file that others than its owner and group may read is refused.
struct TlsOptions {
  std::string ca_file = {};           // Who may sign the server's certificate; empty: the system's.
  std::string certificate_file = {};  // The client's own, with its key, or neither.
  std::string key_file = {};
};

// Reads the files; for ClientOptions::tls. The server's certificate must be for the host that
// ClientOptions::servers names. kRefused, kInvalid, kNotFound or kIo name the file.
Result<std::shared_ptr<const Tls>> MakeTls(const TlsOptions& options);

}  // namespace atalaya::cloud_client
