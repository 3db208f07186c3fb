// TLS without sockets: OpenSSL between two buffers. net/connection.cc moves the bytes.
//
// Not asio::ssl::stream, because that one moves 17 KB at a time: two system calls and two wake-ups per
// record, where this reads and writes many records at once.
#pragma once
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <boost/system/error_code.hpp>
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

/// One connection's TLS. Each step either succeeds, fails, or wants more input: then the caller waits for
/// some and hands over what has come, in room(). Whatever lies in the socket beyond that, the engine takes by
/// itself, to where OpenSSL decrypts it. Whatever is to be sent appears in output().
class TlsEngine {
 public:
  enum class Step : std::uint8_t { ok, want_input, closed, failed };

  /// `server_name`: the name to verify and to send as SNI; empty for the server's side.
  TlsEngine(std::shared_ptr<TlsContext> context, const std::string& server_name, int socket);
  ~TlsEngine();
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;

  Step handshake();
  /// ok: `got` > 0 bytes lie at `data`. closed: the peer ended the stream in order.
  Step read(char* data, std::size_t size, std::size_t& got);
  Step write(std::string_view data);
  /// True if a read would find nothing: neither undecrypted bytes, nor, when it was last asked, the socket.
  bool drained() const {
    return socket_empty_ && !socket_error_ && input_.empty() && SSL_has_pending(ssl_) == 0;
  }
  /// Where to put what the socket gives next. Only after want_input.
  std::span<char> room() const { return {input_room_.get(), kInputBytes}; }
  void received(boost::system::error_code error, std::size_t bytes);
  /// True if the connection is usable for another exchange: neither data nor an end has come in.
  bool quiet();

  /// The socket is being closed: its number may soon be another's.
  void forget_socket() { socket_ = -1; }
  /// What ended the socket, if that is why a step failed: eof is an end without TLS's own goodbye.
  const boost::system::error_code& socket_error() const { return socket_error_; }
  /// To be sent, then cleared.
  Slab& output() { return output_; }

  /// Why the handshake failed. Kind config for certificates and protocol versions. `peer` is host:port.
  Error handshake_error(const std::string& peer) const;

 private:
  /// Most answers are no longer; the bulk of a page goes past it.
  static constexpr std::size_t kInputBytes = 4096;

  static BIO_METHOD* buffer_method();
  static int bio_read(BIO* bio, char* data, std::size_t size, std::size_t* got);
  static int bio_write(BIO* bio, const char* data, std::size_t size, std::size_t* written);
  static long bio_control(BIO* bio, int command, long number, void* pointer);
  Step step_of(int result);

  std::shared_ptr<TlsContext> context_;
  SSL* ssl_;
  std::string server_name_;
  std::string failure_;
  int socket_;
  bool socket_empty_ = false;
  std::unique_ptr<char[]> input_room_;
  std::string_view input_;  // part of it
  boost::system::error_code socket_error_;
  Slab output_;
};

}  // namespace messina::net
