#include "net/http_server.h"

#include <algorithm>
#include <future>
#include <list>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <spdlog/fmt/chrono.h>
#include <spdlog/fmt/fmt.h>

#include "base/log.h"
#include "net/chunked.h"
#include "net/connect.h"
#include "net/head.h"

namespace messina::net {
namespace {

using Acceptor = asio::basic_socket_acceptor<Tcp, asio::io_context::executor_type>;

constexpr std::size_t kChunkBytes = 32u << 10;
constexpr std::size_t kChunksPerWrite = 16;
constexpr std::size_t kFirstChunkedBodyBytes = 64u << 10;
/// After an accept that failed for want of file descriptors.
constexpr auto kAcceptPause = std::chrono::milliseconds(50);
/// How long the destructor waits for handlers that do not notice their cancellation.
constexpr auto kCloseWait = std::chrono::seconds(5);

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 413:
      return "Content Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";  // nobody reads it, but some parsers want one
  }
}

}  // namespace

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  Impl(EventLoop& its_loop, ServerOptions its_options, Handler its_handler)
      : loop(its_loop),
        options(std::move(its_options)),
        handler(std::move(its_handler)),
        acceptor(loop.context()),
        sweeper(std::make_shared<Sweeper>(loop, options.idle_timeout)) {}

  Result<void> listen();
  static Task<void> accept(std::shared_ptr<Impl> self);
  static Task<void> serve(std::shared_ptr<Impl> self, Socket socket);
  Task<void> serve_connection(Connection& connection);
  /// False: the connection is done for.
  Task<bool> receive(Connection& connection, ServerRequest& request, bool& keep_alive);
  Task<bool> receive_chunked(Connection& connection, Slab& body);
  Task<bool> reply(Connection& connection, const ServerReply& reply, bool head_request, bool keep_alive);
  Task<bool> send_body(Connection& connection, std::string_view body, bool chunked, bool cut);
  void write_head(std::string& out, const ServerReply& reply, bool keep_alive) const;
  /// Runs a coroutine that close() can cancel and wait for.
  void spawn(Task<void> task);
  void close();

  EventLoop& loop;
  ServerOptions options;
  Handler handler;
  Acceptor acceptor;
  std::uint16_t port = 0;
  std::shared_ptr<TlsContext> tls;
  std::shared_ptr<Sweeper> sweeper;
  std::list<asio::cancellation_signal> running;
  std::shared_ptr<std::promise<void>> all_ended;  // set by close()
};

Result<void> HttpServer::Impl::listen() {
  const std::string name = host_and_port(options.host, options.port);
  if (!options.certificate_file.empty()) {
    auto made = TlsContext::server(options.certificate_file, options.key_file);
    if (!made) return std::unexpected(std::move(made.error()));
    tls = std::move(*made);
  }
  error_code error;
  const auto address = asio::ip::make_address(options.host, error);
  if (error)
    return fail(ErrorKind::config,
                fmt::format("cannot listen on {}: {} is not an IP address", name, options.host));
  const Tcp::endpoint endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(ErrorKind::config, fmt::format("cannot listen on {}: {}", name, error.message()));
  port = acceptor.local_endpoint().port();
  return {};
}

void HttpServer::Impl::spawn(Task<void> task) {
  const auto signal = running.emplace(running.end());
  auto ended = [self = shared_from_this(), signal](const std::exception_ptr& error) {
    self->running.erase(signal);
    try {
      if (error) std::rethrow_exception(error);
    } catch (const boost::system::system_error& problem) {
      if (problem.code() != asio::error::operation_aborted) log::error("HTTP server: {}", problem.what());
    } catch (const std::exception& problem) {
      log::error("HTTP server: {}", problem.what());
    }
    if (self->all_ended && self->running.empty()) self->all_ended->set_value();
  };
  asio::co_spawn(loop.executor(), std::move(task),
                 asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
}

void HttpServer::Impl::close() {
  error_code ignored;
  acceptor.close(ignored);
  sweeper->cut_all();
  // Emitting resumes nothing at once: completions are posted.
  for (auto& signal : running) signal.emit(asio::cancellation_type::terminal);
  if (running.empty()) all_ended->set_value();
}

Task<void> HttpServer::Impl::accept(std::shared_ptr<Impl> self) {
  while (self->acceptor.is_open()) {
    Socket socket(self->loop.context());
    const auto [error] = co_await self->acceptor.async_accept(socket, kAwait);
    if (!self->acceptor.is_open()) co_return;
    if (error) {
      log::warn("HTTP server on port {}: {}", self->port, error.message());
      const MonoTime until = self->loop.now() + kAcceptPause;
      co_await self->loop.sleep_until(until, nullptr);
      continue;
    }
    // The accepting coroutine is one of those that run.
    const std::size_t most = self->options.max_connections;
    if (most != 0 && self->running.size() > most) continue;  // its end closes it
    auto connection = serve(self, std::move(socket));
    self->spawn(std::move(connection));
  }
}

Task<void> HttpServer::Impl::serve(std::shared_ptr<Impl> self, Socket socket) {
  error_code ignored;
  socket.set_option(Tcp::no_delay(true), ignored);
  Connection connection(self->loop, std::move(socket), self->sweeper, self->options.idle_timeout);
  if (self->tls) {
    const std::string peer = "a client";
    const std::string no_name;
    const auto secured = co_await connection.start_tls(self->tls, no_name, peer);
    if (!secured) co_return;
  }
  co_await self->serve_connection(connection);
}

Task<void> HttpServer::Impl::serve_connection(Connection& connection) {
  error_code no_peer;
  const auto remote = connection.socket().remote_endpoint(no_peer);
  const std::string peer = no_peer ? std::string() : remote.address().to_string();
  while (true) {
    ServerRequest request;
    bool keep_alive = false;
    const bool received = co_await receive(connection, request, keep_alive);
    if (!received) co_return;
    request.peer = peer;
    request.local_port = port;
    const bool head_request = request.method == "HEAD";
    auto answering = handler(std::move(request));
    const ServerReply answer = co_await std::move(answering);
    if (answer.action == ReplyAction::close_unanswered) {
      connection.cut(true);
      co_return;
    }
    keep_alive = keep_alive && answer.action == ReplyAction::answer;
    const bool usable = co_await reply(connection, answer, head_request, keep_alive);
    if (!usable) co_return;
  }
}

Task<bool> HttpServer::Impl::receive(Connection& connection, ServerRequest& request, bool& keep_alive) {
  std::size_t searched = 0;
  std::optional<std::size_t> end;
  while (!(end = find_head_end(connection.buffered(), searched))) {
    if (connection.buffered().size() > kMaxHeadBytes) co_return false;
    const IoResult got = co_await connection.fill();
    if (got.error) co_return false;
  }
  auto head = parse_request_head(connection.buffered().substr(0, *end));
  if (!head) co_return false;
  connection.consume(*end);
  keep_alive = head->keep_alive;
  const std::uint64_t size = head->content_length.value_or(0);
  if (size > options.max_body_bytes) {
    connection.cut(true);
    co_return false;
  }
  const bool has_body = head->chunked || size > 0;
  if (const auto expect = head->headers.find("Expect"); expect && has_body && connection.buffered().empty()) {
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    std::array<asio::const_buffer, 1> buffers{asio::buffer(go_on)};
    const std::span<asio::const_buffer> all(buffers);
    const IoResult sent = co_await connection.write_all(all);
    if (sent.error) co_return false;
  }
  request.method = std::move(head->method);
  request.target = std::move(head->target);
  request.headers = std::move(head->headers);
  if (head->chunked) co_return co_await receive_chunked(connection, request.body);
  if (size == 0) co_return true;
  request.body = loop.slabs().take(size);
  request.body.resize(size);
  const IoResult got = co_await connection.read_all(request.body.data(), size);
  co_return !got.error;
}

Task<bool> HttpServer::Impl::receive_chunked(Connection& connection, Slab& body) {
  body = loop.slabs().take(kFirstChunkedBodyBytes);
  ChunkDecoder decoder;
  while (!decoder.done()) {
    const std::size_t before = body.size();
    if (before > options.max_body_bytes) {
      connection.cut(true);
      co_return false;
    }
    if (body.capacity() - before < kFirstChunkedBodyBytes / 4) body.reserve(body.capacity() * 2);
    const IoResult got = co_await connection.read_some(body.data() + before, body.capacity() - before);
    if (got.error) co_return false;
    const auto decoded = decoder.decode(body.data() + before, got.bytes);
    if (!decoded) co_return false;
    body.resize(before + *decoded);
  }
  // What follows would be a pipelined request, which this server does not take.
  co_return decoder.leftover() == 0 && body.size() <= options.max_body_bytes;
}

void HttpServer::Impl::write_head(std::string& out, const ServerReply& answer, bool keep_alive) const {
  out.clear();
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", answer.status, reason_phrase(answer.status));
  for (const auto& [field, value] : answer.headers.fields())
    out.append(field).append(": ").append(value).append("\r\n");
  if (!answer.headers.find("Date"))
    fmt::format_to(std::back_inserter(out), "Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n",
                   fmt::gmtime(std::chrono::system_clock::to_time_t(loop.wall())));
  if (!keep_alive) out += "Connection: close\r\n";
  if (answer.chunked)
    out += "Transfer-Encoding: chunked\r\n";
  else if (answer.status != 204 && answer.status != 304)
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", answer.body ? answer.body->size() : 0);
  out += "\r\n";
}

Task<bool> HttpServer::Impl::reply(Connection& connection, const ServerReply& answer, bool head_request,
                                   bool keep_alive) {
  write_head(connection.head_out, answer, keep_alive);
  const bool no_body = head_request || answer.body == nullptr || answer.status == 204 || answer.status == 304;
  const std::string_view body = no_body ? std::string_view() : std::string_view(*answer.body);
  const bool cut = answer.action == ReplyAction::cut_in_body;
  const bool chunked = answer.chunked && !head_request;
  const bool sent = co_await send_body(connection, body, chunked, cut);
  co_return sent && !cut && keep_alive;
}

/// The head is in connection.head_out. `cut`: half of the body only.
Task<bool> HttpServer::Impl::send_body(Connection& connection, std::string_view body, bool chunked,
                                       bool cut) {
  if (cut) body = body.substr(0, body.size() / 2);
  if (!chunked) {
    std::array<asio::const_buffer, 2> buffers{asio::buffer(connection.head_out), asio::buffer(body)};
    const std::span<asio::const_buffer> all(buffers);
    const IoResult sent = co_await connection.write_all(all);
    co_return !sent.error;
  }
  // Head, then [size, data, line end] for each chunk; the sizes' texts lie in `sizes`, which must not move.
  std::vector<asio::const_buffer> buffers{asio::buffer(connection.head_out)};
  std::array<std::string, kChunksPerWrite> sizes;
  bool ended = false;
  while (!ended) {
    for (std::string& size : sizes) {
      const std::string_view chunk = body.substr(0, kChunkBytes);
      if (chunk.empty()) {
        if (!cut) buffers.push_back(asio::buffer(std::string_view("0\r\n\r\n")));
        ended = true;
        break;
      }
      body.remove_prefix(chunk.size());
      size = fmt::format("{:x}\r\n", chunk.size());
      buffers.push_back(asio::buffer(size));
      buffers.push_back(asio::buffer(chunk));
      buffers.push_back(asio::buffer(std::string_view("\r\n")));
    }
    const std::span<asio::const_buffer> all(buffers);
    const IoResult sent = co_await connection.write_all(all);
    if (sent.error) co_return false;
    buffers.clear();
  }
  co_return true;
}

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(EventLoop& loop, ServerOptions options,
                                                      Handler handler) {
  const auto impl = std::make_shared<Impl>(loop, std::move(options), std::move(handler));
  if (auto listening = impl->listen(); !listening) return std::unexpected(std::move(listening.error()));
  asio::dispatch(loop.context(), [impl] {
    auto accepting = Impl::accept(impl);
    impl->spawn(std::move(accepting));
  });
  return std::unique_ptr<HttpServer>(new HttpServer(impl));
}

HttpServer::~HttpServer() {
  EventLoop& loop = impl_->loop;
  const auto ended = std::make_shared<std::promise<void>>();
  std::future<void> done = ended->get_future();
  asio::dispatch(loop.context(), [impl = std::move(impl_), ended] {
    impl->all_ended = ended;
    impl->close();
  });
  // On the loop itself nobody would be left to end them.
  if (loop.context().get_executor().running_in_this_thread()) return;
  if (done.wait_for(kCloseWait) != std::future_status::ready)
    log::warn("HTTP server: a handler does not end");
}

std::uint16_t HttpServer::port() const { return impl_->port; }

}  // namespace messina::net
