#include "cloud_server/logins.h"

#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/check.h"

namespace atalaya::cloud_server {
namespace {

constexpr int kLoginNiceness = 10;

using Key = std::array<unsigned char, crypto_generichash_KEYBYTES>;

const Key& ProcessKey() {
  static const Key key = [] {
    ATALAYA_CHECK(sodium_init() >= 0);
    Key random{};
    randombytes_buf(random.data(), random.size());
    return random;
  }();
  return key;
}

void HashPart(crypto_generichash_state* state, std::string_view part) {
  const std::uint64_t size = part.size();
  crypto_generichash_update(state, reinterpret_cast<const unsigned char*>(&size), sizeof size);
  crypto_generichash_update(state, reinterpret_cast<const unsigned char*>(part.data()),
                            part.size());
}

}  // namespace

Passwords::Passwords(PasswordFile file) : file_(std::move(file)) {
  // Where there is no memory for it the server could verify nobody either.
  if (Result<std::string> nobody = HashPassword("nobody"); nobody) nobody_ = std::move(*nobody);
}

Passwords::Digest Passwords::DigestOf(std::string_view user, std::string_view password) const {
  const Key& key = ProcessKey();
  crypto_generichash_state state;
  Digest digest{};
  crypto_generichash_init(&state, key.data(), key.size(), digest.size());
  HashPart(&state, user);
  HashPart(&state, password);
  crypto_generichash_final(&state, digest.data(), digest.size());
  return digest;
}

bool Passwords::Remembers(std::string_view user, std::string_view password) const {
  const Digest digest = DigestOf(user, password);
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(std::string(user));
  return found != known_.end() &&
         sodium_memcmp(found->second.data(), digest.data(), digest.size()) == 0;
}

bool Passwords::Verify(std::string_view user, std::string_view password) {
  if (Remembers(user, password)) return true;  // Another client has just been here as this user.
  const std::string* const hash = file_.Find(user);
  const bool fits = PasswordFits(hash == nullptr ? nobody_ : *hash, password);
  if (!fits || hash == nullptr) return false;
  const Digest digest = DigestOf(user, password);
  const std::lock_guard lock(mutex_);
  known_.insert_or_assign(std::string(user), digest);
  return true;
}

bool Passwords::SameUser(const Passwords& other, std::string_view user) const {
  const std::string* const here = file_.Find(user);
  const std::string* const there = other.file_.Find(user);
  return here != nullptr && there != nullptr && *here == *there;
}

LoginPool::~LoginPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool LoginPool::Submit(Login login) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= kMaxWaitingLogins) return false;
  if (threads_.empty()) {
    for (std::size_t i = 0; i < threads_wanted_; ++i) threads_.emplace_back([this] { Work(); });
  }
  waiting_.push_back(std::move(login));
  wake_.notify_one();
  return true;
}

void LoginPool::Work() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kLoginNiceness);
  while (true) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Login login = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    const bool good = login.passwords->Verify(login.user, login.password);
    sodium_memzero(login.password.data(), login.password.size());
    login.done(good);
  }
}

}  // namespace atalaya::cloud_server
