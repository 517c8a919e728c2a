#include "cloud_server/hash.h"

#include <random>

namespace atalaya::cloud_server {

std::uint64_t HashSeed() {
  static const std::uint64_t seed = [] {
    std::random_device random;
    return std::uint64_t{random()} << 32 | random();
  }();
  return seed;
}

}  // namespace atalaya::cloud_server
