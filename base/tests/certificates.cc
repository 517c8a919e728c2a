#include "base/tests/certificates.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>

namespace atalaya {
namespace {

void Run(const std::string& command) {
  EXPECT_EQ(std::system(fmt::format("{} 2>/dev/null", command).c_str()), 0) << command;
}

constexpr char kNewKey[] = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

}  // namespace

Certificates::Certificates() {
  std::string pattern = testing::TempDir() + "certificates_XXXXXX";
  folder_ = mkdtemp(pattern.data());
  MakeAuthority("ca");
  MakeAuthority("other-ca");
}

Certificates::~Certificates() { std::filesystem::remove_all(folder_); }

void Certificates::MakeAuthority(const std::string& name) {
  Run(fmt::format("openssl req -x509 {} -keyout {} -out {} -days 2 -subj /CN={}", kNewKey,
                  Path(name + ".key"), Path(name + ".pem"), name));
}

void Certificates::Issue(const std::string& name, int days) {
  const std::string request = Path(name + ".csr");
  Run(
      fmt::format("openssl req {} -keyout {} -out {} -subj /CN={} "
                  "-addext subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1",
                  kNewKey, Path(name + ".key"), request, name));
  Run(
      fmt::format("openssl x509 -req -in {} -CA {} -CAkey {} -CAcreateserial -copy_extensions copy "
                  "-days {} -out {}",
                  request, Path("ca.pem"), Path("ca.key"), days, Path(name + ".pem")));
}

}  // namespace atalaya
