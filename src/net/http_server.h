// A small HTTP/1.1 server: for messina-sim, later for metrics, status and the proxy.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/error.h"
#include "net/event_loop.h"
#include "net/http.h"

namespace messina::net {

struct ServerRequest {
  std::string method;
  std::string target;
  Headers headers = {};
  Slab body;                     ///< as received, padded; chunked bodies are joined
  std::string peer;              ///< address of the client
  std::uint16_t local_port = 0;  ///< which listener took it
};

/// What to do to the connection around the answer; all but `answer` exist for fault injection.
enum class ReplyAction : std::uint8_t {
  answer,            ///< send it and keep the connection
  close_unanswered,  ///< cut the connection without a byte
  cut_in_body,       ///< send the headers and half of the body, then cut
  answer_and_close,  ///< send it with Connection: close
};

struct ServerReply {
  int status = 200;
  Headers headers = {};
  /// Shared so that pre-rendered answers are not copied.
  std::shared_ptr<const std::string> body = {};
  bool chunked = false;  ///< send in chunks of 32 KB instead of with a Content-Length
  ReplyAction action = ReplyAction::answer;
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;             ///< 0: a free one
  std::string certificate_file = {};  ///< PEM; with key_file: TLS
  std::string key_file = {};
  std::size_t max_body_bytes = 17u << 20;  ///< larger bodies: the connection is cut, as ScyllaDB does
  std::chrono::milliseconds idle_timeout{60'000};
  std::size_t max_connections = 0;  ///< those beyond are closed at once; 0: no limit
};

/// Listens and answers on one loop, which must outlive it. `handler` runs as a coroutine on that loop, one at
/// a time per connection, many per server; what it refers to must outlive the server. Every answer gets a
/// Date unless it has one. A handler that throws costs its client the connection.
///
/// May be made and destroyed on any thread; port() may be asked from any. The destructor cancels running
/// handlers and, unless it runs on the loop itself, waits until they have ended (5 s at most, since
/// AsyncSemaphore cannot be cancelled).
class HttpServer {
 public:
  using Handler = std::function<Task<ServerReply>(ServerRequest)>;
  static Result<std::unique_ptr<HttpServer>> start(EventLoop& loop, ServerOptions options, Handler handler);
  ~HttpServer();

  std::uint16_t port() const;

 private:
  struct Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace messina::net
