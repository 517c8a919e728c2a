#include "base/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>

#include "base/check.h"
#include "base/file.h"
#include "base/net.h"

namespace atalaya {
namespace {

constexpr int kTicketsPerHandshake = 1;
constexpr char kSessionIdContext[] = "atalaya";

// The reason of the last fault that OpenSSL noted in this thread; clears them all.
std::string TakeReason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "unknown fault";
  if (ERR_SYSTEM_ERROR(code)) return ErrnoText(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("OpenSSL error {:#x}", code);
}

// Without it OpenSSL asks for the passphrase of a key on the terminal.
int NoPassphrase(char*, int, int, void*) { return 0; }

// OpenSSL names no file where one cannot be opened.
Status CheckReadable(const std::string& path) {
  const Result<std::string> content = ReadFile(path);
  if (!content) return Forward(content.error());
  return {};
}

Status LoadOwn(SSL_CTX* context, const std::string& certificate, const std::string& key) {
  if (Status secret = CheckSecretFile(key); !secret) return secret;
  for (const std::string& path : {certificate, key}) {
    if (Status readable = CheckReadable(path); !readable) return readable;
  }
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return Fail(ErrorCode::kInvalid, "{}: no certificate in PEM: {}", certificate, TakeReason());
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1) {
    return Fail(ErrorCode::kInvalid, "{}: no private key in PEM for the certificate in {}: {}", key,
                certificate, TakeReason());
  }
  return {};
}

Status LoadAuthorities(SSL_CTX* context, const std::string& path) {
  if (Status readable = CheckReadable(path); !readable) return readable;
  if (SSL_CTX_load_verify_file(context, path.c_str()) != 1) {
    return Fail(ErrorCode::kInvalid, "{}: no certificates in PEM: {}", path, TakeReason());
  }
  return {};
}

std::int64_t EndOf(const X509* certificate) {
  tm end{};
  if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
    return 0;
  return static_cast<std::int64_t>(timegm(&end)) * 1000;
}

std::int64_t EarliestEndOf(const STACK_OF(X509) * certificates) {
  std::int64_t earliest_ms = 0;
  for (int i = 0; i < sk_X509_num(certificates); ++i) {
    const std::int64_t end_ms = EndOf(sk_X509_value(certificates, i));
    if (earliest_ms == 0 || end_ms < earliest_ms) earliest_ms = end_ms;
  }
  return earliest_ms;
}

int FactsOfContext() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int FactsOfStream() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// OpenSSL calls it for each certificate of the chain, the server's own last, and for each fault.
// It keeps OpenSSL's verdict.
int NoteCertificates(int good, X509_STORE_CTX* store) {
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* facts = static_cast<TlsFacts*>(SSL_get_ex_data(ssl, FactsOfStream()));
  if (facts == nullptr)
    facts = static_cast<TlsFacts*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), FactsOfContext()));
  const std::string_view version = SSL_get_version(ssl);  // "TLSv1.3"
  facts->version =
      version.starts_with("TLSv") ? fmt::format("TLS {}", version.substr(4)) : std::string(version);
  facts->earliest_end_ms = EarliestEndOf(X509_STORE_CTX_get0_untrusted(store));
  if (good == 1 && X509_STORE_CTX_get_error_depth(store) == 0)
    facts->chain_end_ms = EarliestEndOf(X509_STORE_CTX_get0_chain(store));
  return good;
}

int FdOf(BIO* bio) { return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))); }

bool IsTransient(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int BioRead(BIO* bio, char* into, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = recv(FdOf(bio), into, static_cast<std::size_t>(size), MSG_DONTWAIT);
  if (got < 0 && IsTransient(errno)) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}

int BioWrite(BIO* bio, const char* bytes, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent =
      send(FdOf(bio), bytes, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && IsTransient(errno)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

long BioControl(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

// OpenSSL's own socket BIO raises SIGPIPE.
BIO_METHOD* SocketMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    ATALAYA_CHECK(made != nullptr);
    BIO_meth_set_read(made, &BioRead);
    BIO_meth_set_write(made, &BioWrite);
    BIO_meth_set_ctrl(made, &BioControl);
    return made;
  }();
  return method;
}

SSL_CTX* NewContext(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  if (context == nullptr) return nullptr;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);  // A record costs one recv, not two.
  SSL_CTX_set_default_passwd_cb(context, &NoPassphrase);
  return context;
}

bool IsCertificateFault(int reason) {
  switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return true;
    default:
      return false;
  }
}

}  // namespace

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Result<std::shared_ptr<const TlsContext>> TlsContext::ForServer(const TlsServerOptions& options) {
  SSL_CTX* const context = NewContext(TLS_server_method());
  if (context == nullptr) return Fail(ErrorCode::kIo, "TLS: {}", TakeReason());
  std::shared_ptr<TlsContext> owned(new TlsContext(context));
  if (Status own = LoadOwn(context, options.certificate_file, options.key_file); !own) {
    return Forward(own.error());
  }
  owned->certificate_ends_ms_ = EndOf(SSL_CTX_get0_certificate(context));
  // Clients resume by tickets, which need no memory here; their key is of this context alone.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, kTicketsPerHandshake);
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(kSessionIdContext),
                                 sizeof kSessionIdContext - 1);
  if (options.client_certificates == ClientCertificates::kNone) {
    return std::shared_ptr<const TlsContext>(std::move(owned));
  }
  if (Status loaded = LoadAuthorities(context, options.ca_file); !loaded) {
    return Forward(loaded.error());
  }
  SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(options.ca_file.c_str()));
  const bool required = options.client_certificates == ClientCertificates::kRequired;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  return std::shared_ptr<const TlsContext>(std::move(owned));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::ForClient(const TlsClientOptions& options) {
  SSL_CTX* const context = NewContext(TLS_client_method());
  if (context == nullptr) return Fail(ErrorCode::kIo, "TLS: {}", TakeReason());
  std::shared_ptr<TlsContext> owned(new TlsContext(context));
  if (options.ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) {
      return Fail(ErrorCode::kIo, "the system's certificates: {}", TakeReason());
    }
  } else if (Status loaded = LoadAuthorities(context, options.ca_file); !loaded) {
    return Forward(loaded.error());
  }
  if (!options.certificate_file.empty()) {
    if (Status own = LoadOwn(context, options.certificate_file, options.key_file); !own) {
      return Forward(own.error());
    }
    owned->certificate_ends_ms_ = EndOf(SSL_CTX_get0_certificate(context));
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return std::shared_ptr<const TlsContext>(std::move(owned));
}

void NoteTlsFacts(ssl_ctx_st* context, TlsFacts* facts) {
  SSL_CTX_set_ex_data(context, FactsOfContext(), facts);
  SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), &NoteCertificates);
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

Result<std::unique_ptr<TlsStream>> TlsStream::Make(const TlsContext& context, int fd) {
  SSL* const ssl = SSL_new(context.context_);
  if (ssl == nullptr) return Fail(ErrorCode::kIo, "TLS: {}", TakeReason());
  std::unique_ptr<TlsStream> stream(new TlsStream(ssl));
  BIO* const bio = BIO_new(SocketMethod());
  if (bio == nullptr) return Fail(ErrorCode::kIo, "TLS: {}", TakeReason());
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(fd)));
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  return stream;
}

Result<std::unique_ptr<TlsStream>> TlsStream::Accept(
    const std::shared_ptr<const TlsContext>& context, int fd) {
  Result<std::unique_ptr<TlsStream>> stream = Make(*context, fd);
  if (stream) SSL_set_accept_state((*stream)->ssl_);
  return stream;
}

Result<std::unique_ptr<TlsStream>> TlsStream::Connect(
    const std::shared_ptr<const TlsContext>& context, int fd, const std::string& server_name) {
  Result<std::unique_ptr<TlsStream>> stream = Make(*context, fd);
  if (!stream) return stream;
  SSL* const ssl = (*stream)->ssl_;
  SSL_set_connect_state(ssl);
  bool fine = false;
  if (IsNumericAddress(server_name)) {
    fine = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name.c_str()) == 1;
  } else {
    // SSL_set_tlsext_host_name is a macro with a cast from C.
    fine = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    const_cast<char*>(server_name.c_str())) == 1 &&
           SSL_set1_host(ssl, server_name.c_str()) == 1;
  }
  if (!fine) return Fail(ErrorCode::kInvalid, "\"{}\": no server name for TLS", server_name);
  return stream;
}

TlsStream::Outcome TlsStream::Judge(int returned) {
  const int system_error = errno;
  switch (SSL_get_error(ssl_, returned)) {
    case SSL_ERROR_NONE:
      return Outcome::kDone;
    case SSL_ERROR_WANT_READ:
      return Outcome::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::kClosed;
    case SSL_ERROR_SYSCALL:
      error_ = system_error == 0 ? "the peer ended the connection" : ErrnoText(system_error);
      ERR_clear_error();
      return Outcome::kClosed;
    default:
      break;
  }
  const int reason = ERR_GET_REASON(ERR_peek_last_error());
  certificate_refused_ = IsCertificateFault(reason);
  error_ = TakeReason();
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    error_ += ": ";
    error_ += X509_verify_cert_error_string(SSL_get_verify_result(ssl_));
  }
  return reason == SSL_R_UNEXPECTED_EOF_WHILE_READING ? Outcome::kClosed : Outcome::kFailed;
}

void TlsStream::NoteFacts(TlsFacts* facts) {
  SSL_set_ex_data(ssl_, FactsOfStream(), facts);
  SSL_set_verify(ssl_, SSL_get_verify_mode(ssl_), &NoteCertificates);
}

TlsStream::Outcome TlsStream::Handshake() {
  ERR_clear_error();
  errno = 0;
  return Judge(SSL_do_handshake(ssl_));
}

bool TlsStream::handshaken() const { return SSL_is_init_finished(ssl_) == 1; }

TlsStream::Outcome TlsStream::Read(std::span<char> into, std::size_t* got) {
  *got = 0;
  Outcome outcome = end_;
  while (outcome == Outcome::kDone && *got < into.size()) {
    ERR_clear_error();
    errno = 0;
    std::size_t bytes = 0;
    const int returned = SSL_read_ex(ssl_, into.data() + *got, into.size() - *got, &bytes);
    *got += bytes;
    if (returned != 1) outcome = Judge(returned);
  }
  if (outcome == Outcome::kClosed || outcome == Outcome::kFailed) end_ = outcome;
  // SSL_has_pending also counts the part of a record that has come, which nobody can read yet.
  has_buffered_ = outcome == Outcome::kDone || (end_ != Outcome::kDone && *got > 0);
  return *got > 0 ? Outcome::kDone : outcome;
}

TlsStream::Outcome TlsStream::Write(std::string_view bytes, std::size_t* taken) {
  ERR_clear_error();
  errno = 0;
  *taken = 0;
  return Judge(SSL_write_ex(ssl_, bytes.data(), bytes.size(), taken));
}

void TlsStream::Shutdown() {
  // After a fault of the protocol nothing may be sent any more.
  if (!error_.empty() || !handshaken()) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

std::string TlsStream::PeerCommonName() const {
  const X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr || SSL_get_verify_result(ssl_) != X509_V_OK) return "";
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return "";
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
  if (size < 0) return "";
  std::string name(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return name;
}

}  // namespace atalaya
