#pragma once

#include <filesystem>
#include <string>

namespace atalaya {

// An authority of a test's own, made with the openssl command in a folder that goes with it.
class Certificates {
 public:
  Certificates();
  ~Certificates();
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  // Makes NAME.pem and NAME.key for the common name `name`, "localhost", 127.0.0.1 and ::1; the
  // same name again replaces them.
  void Issue(const std::string& name, int days = 2);  // Below 0: it has expired.

  // "ca.pem", "NAME.pem", "NAME.key"; "other-ca.pem" is an authority that signs nothing here.
  std::string Path(const std::string& file) const { return folder_ / file; }

 private:
  void MakeAuthority(const std::string& name);

  std::filesystem::path folder_;
};

}  // namespace atalaya
