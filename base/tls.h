#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

// OpenSSL's handles, which no caller looks into.
struct ssl_ctx_st;
struct ssl_st;

namespace atalaya {

enum class ClientCertificates : std::uint8_t { kNone, kOptional, kRequired };

// Every file is PEM. A key file that others than its owner and group may read is refused.
struct TlsServerOptions {
  std::string certificate_file = {};  // The server's own certificate first, then its chain.
  std::string key_file = {};          // Its private key, without a passphrase.
  std::string ca_file = {};           // Who may sign client certificates; needed unless kNone.
  // kOptional: a client may come without; one that shows a certificate must show a good one.
  ClientCertificates client_certificates = ClientCertificates::kNone;
};

struct TlsClientOptions {
  std::string ca_file = {};           // Who may sign the server's certificate; empty: the system's.
  std::string certificate_file = {};  // The client's own, with its key, or neither.
  std::string key_file = {};
};

// Certificates, keys and rules of many streams. Immutable: new certificates are a new context;
// streams keep the one that they were made with. TLS 1.2 and 1.3, no renegotiation, no compression.
// Threads: any.
class TlsContext {
 public:
  // Reads the files. kRefused for a key file that others may read, kInvalid where a file does not
  // hold what it should or the key does not fit the certificate, kNotFound or kIo where it cannot
  // be read; each names the file.
  static Result<std::shared_ptr<const TlsContext>> ForServer(const TlsServerOptions& options);
  static Result<std::shared_ptr<const TlsContext>> ForClient(const TlsClientOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // When the own certificate ends, in UTC milliseconds; 0 where there is none.
  std::int64_t certificate_ends_ms() const { return certificate_ends_ms_; }

 private:
  friend class TlsStream;
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
  std::int64_t certificate_ends_ms_ = 0;
};

// What the handshake of a client shows, also where it does not accept the certificates.
struct TlsFacts {
  std::string version = {};          // "TLS 1.3"; "": no certificate came.
  std::int64_t earliest_end_ms = 0;  // Of the certificates that the server sent, UTC; 0: none.
  std::int64_t chain_end_ms = 0;     // Of those that the verified chain is made of; 0: none is.
};

// From now on a handshake with `context`, made by whom ever, is noted in `facts`, which must
// outlive it. Of handshakes that resume a session nothing is noted.
void NoteTlsFacts(ssl_ctx_st* context, TlsFacts* facts);

// TLS over a connected, non-blocking socket that belongs to the caller and outlives the stream.
// Read and Write make the handshake on their way; Handshake alone is for who wants to know.
// Nothing here blocks or raises SIGPIPE. Threads: one at a time; it may change between calls.
class TlsStream {
 public:
  enum class Outcome : std::uint8_t {
    kDone,
    kWantRead,   // Call again, with the same arguments, once the socket is readable.
    kWantWrite,  // The same, once it is writable.
    kClosed,     // The peer has closed, in the right way or by ending TCP.
    kFailed,  // The TLS protocol or the network broke, or a certificate is not accepted: error().
  };

  // kIo where there is no memory.
  static Result<std::unique_ptr<TlsStream>> Accept(const std::shared_ptr<const TlsContext>& context,
                                                   int fd);
  // The server's certificate must be for `server_name` (a DNS name or a numeric address).
  static Result<std::unique_ptr<TlsStream>> Connect(
      const std::shared_ptr<const TlsContext>& context, int fd, const std::string& server_name);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // Before the handshake of a client: it is noted in `facts`, which must outlive the stream.
  void NoteFacts(TlsFacts* facts);

  Outcome Handshake();
  bool handshaken() const;

  // kDone: at least one byte came. It reads as much as is there, up to `into` (not empty). What
  // came before an end is handed out first.
  Outcome Read(std::span<char> into, std::size_t* got);
  // True where there may be more for Read that no event of the socket will tell of.
  bool HasBuffered() const { return has_buffered_; }

  // kDone: `*taken` of `bytes` (at least one; at most 16 KiB are one record) were sent. After
  // kWantRead or kWantWrite the next call must begin with the same bytes; they may be elsewhere in
  // memory and more may follow.
  Outcome Write(std::string_view bytes, std::size_t* taken);

  // Tells the peer that nothing more comes, as far as the socket takes it; does not wait for its
  // answer.
  void Shutdown();

  // What kFailed was about: "certificate verify failed: certificate has expired". "" before.
  const std::string& error() const { return error_; }
  // True where it was a certificate, the peer's or the own one in the peer's eyes.
  bool certificate_refused() const { return certificate_refused_; }

  // The common name of the peer's verified certificate; "" where there is none.
  std::string PeerCommonName() const;

 private:
  explicit TlsStream(ssl_st* ssl) : ssl_(ssl) {}
  static Result<std::unique_ptr<TlsStream>> Make(const TlsContext& context, int fd);
  Outcome Judge(int returned);

  ssl_st* ssl_;
  std::string error_;
  Outcome end_ = Outcome::kDone;  // Or how Read ended for good.
  bool has_buffered_ = false;
  bool certificate_refused_ = false;
};

}  // namespace atalaya
