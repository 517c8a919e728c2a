#include "bench/meter/tls_stream.h"

#include <openssl/ssl.h>

#include "bench/meter/quit.h"

namespace atalaya::bench {
namespace {

SSL_CTX* SharedContext() {
  static SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  return context;
}

}  // namespace

void TlsStream::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsStream::TlsStream(int fd) : ssl_(SSL_new(SharedContext())) {
  if (!ssl_ || SSL_set_fd(ssl_.get(), fd) != 1) Quit("no TLS");
  SSL_set_connect_state(ssl_.get());
}

TlsStream::Wants TlsStream::Handshake() {
  const int done = SSL_do_handshake(ssl_.get());
  if (done == 1) return Wants::kNothing;
  const int error = SSL_get_error(ssl_.get(), done);
  if (error == SSL_ERROR_WANT_READ) return Wants::kRead;
  if (error == SSL_ERROR_WANT_WRITE) return Wants::kWrite;
  Quit("the TLS handshake failed");
}

void TlsStream::Write(std::string_view bytes) {
  const int written = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  if (written != static_cast<int>(bytes.size())) Quit("a TLS connection took no more");
}

std::size_t TlsStream::Read(char* into, std::size_t bytes) {
  const int got = SSL_read(ssl_.get(), into, static_cast<int>(bytes));
  if (got > 0) return static_cast<std::size_t>(got);
  if (SSL_get_error(ssl_.get(), got) != SSL_ERROR_WANT_READ) Quit("a TLS connection was closed");
  return 0;
}

}  // namespace atalaya::bench
