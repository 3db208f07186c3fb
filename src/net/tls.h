// TLS without sockets: OpenSSL between two buffers. net/connection.cc moves the bytes.
//
// Not asio::ssl::stream, because that one moves 17 KB at a time: two system calls and two wake-ups per
// record, where this reads and writes many records at once.
#pragma once
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/ssl.h>

#include "base/error.h"
#include "base/slab.h"
#include "net/http_client.h"

namespace messina::net {

/// Settings shared by the connections of one client or server; a client's also keeps the newest session, so
/// that further connections resume it. Not thread-safe. TLS 1.2 or newer.
class TlsContext {
 public:
  /// Errors: config (an unreadable CA file, with the reason).
  static Result<std::shared_ptr<TlsContext>> client(const TlsOptions& options);
  static Result<std::shared_ptr<TlsContext>> server(const std::string& certificate_file,
                                                    const std::string& key_file);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

 private:
  friend class TlsEngine;
  explicit TlsContext(SSL_CTX* context) : context_(context) {}
  static int keep_session(SSL* ssl, SSL_SESSION* session);

  SSL_CTX* context_;
  SSL_SESSION* session_ = nullptr;
};

/// One connection's TLS. Each step either succeeds, fails, or wants more input; whatever it has to send
/// appears in output().
class TlsEngine {
 public:
  enum class Step : std::uint8_t { ok, want_input, closed, failed };

  /// `server_name`: the name to verify and to send as SNI; empty for the server's side.
  TlsEngine(std::shared_ptr<TlsContext> context, const std::string& server_name);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  Step handshake();
  /// ok: `got` > 0 bytes lie at `data`. closed: the peer ended the stream in order.
  Step read(char* data, std::size_t size, std::size_t& got);
  Step write(std::string_view data);
  /// True if the connection is usable for another exchange: neither data nor an end has come in.
  bool quiet();

  /// Room for received bytes; add_input() says how many came. Only after a step wanted input.
  char* input_room() { return input_.data(); }
  std::size_t input_room_bytes() const { return input_.capacity(); }
  void add_input(std::size_t bytes);
  /// To be sent, then cleared.
  Slab& output() { return output_; }

  /// Why the handshake failed. Kind config for certificates and protocol versions. `peer` is host:port.
  Error handshake_error(const std::string& peer) const;

 private:
  static BIO_METHOD* buffer_method();
  static int bio_read(BIO* bio, char* data, std::size_t size, std::size_t* got);
  static int bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* written);
  static long bio_control(BIO* bio, int command, long number, void* pointer);
  Step step_of(int result);

  std::shared_ptr<TlsContext> context_;
  SSL* ssl_;
  std::string server_name_;
  std::string failure_;
  Slab input_;
  std::size_t input_used_ = 0;
  Slab output_;
};

}  // namespace messina::net
