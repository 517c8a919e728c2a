#include "cloud_client/link.h"

namespace atalaya::cloud_client {

Result<std::shared_ptr<const Tls>> LoadTls(const TlsOptions& options) { return MakeTls(options); }

}  // namespace atalaya::cloud_client
