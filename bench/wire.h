// The leanest keep-alive HTTP/1.1 connection that POSIX sockets and OpenSSL give: what the benches measure
// messina's own client against. Non-blocking; driven by the caller's epoll. Throws std::runtime_error on
// anything unexpected: a bench that goes wrong has no result.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/slab.h"

struct ssl_ctx_st;
struct ssl_st;
struct bio_st;

namespace messina::bench {

/// Settings shared by TLS connections. Certificates are not verified: handshakes are no part of what is
/// measured.
class TlsContext {
 public:
  TlsContext();
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ssl_ctx_st* get() const { return context_; }

 private:
  ssl_ctx_st* context_;
};

struct Peer {
  std::string host;
  std::uint16_t port = 0;
};
/// "HOST:PORT"
Peer parse_peer(std::string_view text);

class Connection {
 public:
  /// Connects (and shakes hands) before it returns; non-blocking from then on. `tls` may be null.
  Connection(const Peer& peer, const TlsContext* tls);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int fd() const { return fd_; }

  /// Where the next request is put together: the caller appends head and body, then calls start().
  Slab& request() { return request_; }
  /// Sends what request() holds; the answer's body will stand in `body`.
  void start(Slab& body);
  /// To be called when the socket is ready. True when the answer is complete.
  bool advance();
  /// True while a part of the request is still to be sent.
  bool wants_write() const { return sent_ < request_.size() || tls_wants_write_; }

  /// Of the last answer.
  int status() const { return status_; }
  bool had_crc() const { return had_crc_; }

 private:
  void send_more();
  /// 0: nothing there yet.
  std::size_t receive(char* into, std::size_t room);
  bool receive_head();
  void parse_head(std::string_view head);

  int fd_ = -1;
  ssl_st* ssl_ = nullptr;
  bio_st* out_ = nullptr;  // ssl_'s
  Slab request_;
  std::size_t sent_ = 0;
  bool tls_wants_write_ = false;
  Slab head_;
  Slab* body_ = nullptr;
  bool in_body_ = false;
  std::size_t received_ = 0;
  int status_ = 0;
  bool had_crc_ = false;
};

/// Request head of the DynamoDB protocol, as long as messina's. `signed_head` adds an Authorization of the
/// usual length; nothing is computed: hashing is measured apart.
std::string request_head(const Peer& peer, std::string_view operation, std::size_t body_bytes,
                         bool signed_head);

}  // namespace messina::bench
