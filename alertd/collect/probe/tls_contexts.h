#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/tls.h"

namespace atalaya::alertd {

// Whom to trust, by file: the system's store alone takes milliseconds to read.
// Threads: one at a time.
class TlsContexts {
 public:
  // Fails as TlsContext::ForClient does; then the file is read again the next time.
  Result<std::shared_ptr<const TlsContext>> For(const std::string& ca_file) {
    std::shared_ptr<const TlsContext>& known = contexts_[ca_file];
    if (known) return known;
    Result<std::shared_ptr<const TlsContext>> made = TlsContext::ForClient({.ca_file = ca_file});
    if (made) known = *made;
    return made;
  }

 private:
  std::map<std::string, std::shared_ptr<const TlsContext>> contexts_;
};

}  // namespace atalaya::alertd
