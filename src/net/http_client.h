// A pool of HTTP/1.1 connections to one origin, with TLS, proxies and deadlines.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/error.h"
#include "net/event_loop.h"
#include "net/http.h"

namespace messina::net {

struct Origin {
  std::string host;  ///< name or literal address, without brackets
  std::uint16_t port = 0;
  bool tls = false;
  bool operator==(const Origin&) const = default;
};

struct TlsOptions {
  std::string ca_file = {};      ///< PEM bundle to trust instead of the system's; empty: the system's
  std::string server_name = {};  ///< name to verify and send as SNI; empty: the origin's host
  bool insecure = false;         ///< do not verify the certificate (said loudly at start-up)
};

struct ClientOptions {
  TlsOptions tls = {};
  /// HTTP proxy ("http://host:port"): CONNECT for TLS origins, absolute-form requests for plain ones. From
  /// proxy_from_environment() (net/proxy.h) as a rule.
  std::optional<std::string> proxy = {};
  std::chrono::milliseconds connect_timeout{5'000};
  /// From the last byte of the request to the end of the answer's header; before and after that, the longest
  /// time without any progress; and the longest wait for one of `max_connections`.
  std::chrono::milliseconds answer_timeout{30'000};
  /// Idle connections older than this are not used again: below the idle timeouts of DynamoDB and common
  /// balancers, so that a reused connection is rarely one that is just being closed.
  std::chrono::milliseconds max_idle{10'000};
  /// A connection that was idle for less is used again without asking the socket whether the peer has closed
  /// it: a system call for every request of a busy client, to notice what is hardly ever so.
  std::chrono::microseconds unasked_idle{1'000};
  /// Connections open at once; further requests wait for one, for `answer_timeout` at most.
  std::size_t max_connections = 64;
  /// Bodies over this are refused as corrupt. 1..2^31.
  std::size_t max_body_bytes = 64u << 20;
};

/// What went wrong with an exchange, beside the Error: whether the server may have seen the request.
struct SendError {
  Error error;  ///< kind: transient (connect, cut, timeout), corrupt, config (TLS, proxy), denied (proxy)
  bool may_have_been_sent = false;  ///< false: the server certainly did not execute it
};

/// Not thread-safe: one per origin and event loop, which must outlive it; only making and destroying it may
/// happen on another thread. Retries nothing, but for one case: a reused connection that turns out to have
/// been closed before any byte of the request was written is replaced silently.
class HttpClient {
 public:
  HttpClient(EventLoop& loop, Origin origin, ClientOptions options);
  ~HttpClient();

  /// One exchange. The answer's body arrives in one padded Slab from the loop's SlabPool, whether it had a
  /// Content-Length or came in chunks.
  Task<std::expected<Response, SendError>> send(const Request& request);

  const Origin& origin() const;
  /// Any thread may ask.
  std::size_t open_connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace messina::net
