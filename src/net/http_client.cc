#include "net/http_client.h"

#include <algorithm>
#include <atomic>

#include <boost/asio/dispatch.hpp>
#include <spdlog/fmt/fmt.h>

#include "net/chunked.h"
#include "net/connect.h"
#include "net/head.h"
#include "net/slots.h"

namespace messina::net {
namespace {

/// Interim answers (100, 103) before the real one; more are an attack or a bug.
constexpr int kMaxInterimAnswers = 16;
/// First room for a body of unknown length.
constexpr std::size_t kUnknownBodyBytes = 64u << 10;

/// Of an answer whose like is expected soon.
constexpr std::size_t kMostKeptHeadBytes = 1024;

using Answer = std::expected<Response, SendError>;

std::unexpected<SendError> failed(Error error, bool may_have_been_sent) {
  return std::unexpected(SendError{std::move(error), may_have_been_sent});
}

bool has_line_break(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return c == '\r' || c == '\n'; });
}

/// Line breaks would let a value become a header of its own.
bool clean(const Request& request) {
  return !has_line_break(request.method) && !has_line_break(request.target) && request.headers.clean();
}

/// How far the search for an answer's head has come.
struct HeadSearch {
  int interim = 0;           ///< answers passed over
  std::size_t searched = 0;  ///< bytes in which it does not end
};

}  // namespace

struct HttpClient::Impl {
  Impl(EventLoop& loop, Origin origin, ClientOptions options);

  /// Keeps `self` alive for as long as it runs.
  static Task<Answer> send(std::shared_ptr<Impl> self, const Request& request);

  std::unique_ptr<Connection> take_idle();
  void put_back(std::unique_ptr<Connection> connection);
  void drop_old(MonoTime now);
  void write_head(std::string& out, const Request& request) const;
  /// One request and its answer on `connection`. `unused` becomes true if nothing of the request was written.
  Task<Answer> exchange(Connection& connection, const Request& request, bool& unused, bool& reusable);
  std::expected<Head, std::string> parse_head(std::string_view text, bool head_request);
  /// The answer's head once the connection has all of it; nothing while more has to come. Passes over interim
  /// answers. Errors: corrupt.
  std::expected<std::optional<Head>, Error> next_head(Connection& connection, bool head_request,
                                                      HeadSearch& search);
  bool answered_by_proxy(const Head& head) const {
    return head.status == 407 && dialler.proxy && !dialler.origin.tls;
  }
  Error wrong_proxy_user() const;
  Error no_connection_free() const;
  Task<Result<Slab>> receive_sized(Connection& connection, std::uint64_t size);
  Task<Result<Slab>> receive_unsized(Connection& connection, bool chunked, bool& reusable);
  /// For messages: what `error` means when it happened while waiting for `what` since `start`.
  Error broken(const error_code& error, std::string_view what, MonoTime start, ErrorKind kind) const;

  Dialler dialler;
  std::string name;  // host:port
  std::optional<Error> config_error;
  Slots slots;
  std::vector<std::unique_ptr<Connection>> idle;  // the newest at the end
  std::atomic<std::size_t> open = 0;              // open_connections() may be asked from anywhere
  std::size_t usual_unsized_bytes = kUnknownBodyBytes;
  // Of the last answer whose head was parsed.
  std::string last_head_text;
  Head last_head;
  bool closed = false;
};

HttpClient::Impl::Impl(EventLoop& loop, Origin origin, ClientOptions options)
    : dialler{loop, std::move(origin), std::move(options), std::nullopt, nullptr, nullptr},
      slots(std::max<std::size_t>(dialler.options.max_connections, 1)) {
  const ClientOptions& chosen = dialler.options;
  name = host_and_port(dialler.origin.host, dialler.origin.port);
  dialler.sweeper = std::make_shared<Sweeper>(
      loop, std::min({chosen.connect_timeout, chosen.answer_timeout, chosen.max_idle}));
  if (chosen.proxy) {
    auto proxy = parse_proxy(*chosen.proxy);
    if (proxy)
      dialler.proxy = std::move(*proxy);
    else
      config_error = std::move(proxy.error());
  }
  if (dialler.origin.tls) {
    auto tls = TlsContext::client(chosen.tls);
    if (tls)
      dialler.tls = std::move(*tls);
    else
      config_error = std::move(tls.error());
  }
}

std::unique_ptr<Connection> HttpClient::Impl::take_idle() {
  const MonoTime now = dialler.loop.now();
  while (!idle.empty()) {
    auto connection = std::move(idle.back());
    idle.pop_back();
    const Duration idle_for = now - connection->idle_since;
    const bool unasked = idle_for < dialler.options.unasked_idle;
    if (idle_for <= dialler.options.max_idle && (unasked || connection->idle_and_open())) return connection;
    --open;
  }
  return nullptr;
}

void HttpClient::Impl::put_back(std::unique_ptr<Connection> connection) {
  connection->idle_since = dialler.loop.now();
  idle.push_back(std::move(connection));
}

void HttpClient::Impl::drop_old(MonoTime now) {
  const MonoTime oldest = now - dialler.options.max_idle;
  open -= std::erase_if(idle, [&](const auto& connection) { return connection->idle_since < oldest; });
}

Error HttpClient::Impl::broken(const error_code& error, std::string_view what, MonoTime start,
                               ErrorKind kind) const {
  const double waited = std::chrono::duration<double>(dialler.loop.now() - start).count();
  if (closed) return {ErrorKind::stopped, fmt::format("{}: given up while waiting for {}", name, what)};
  if (error == asio::error::timed_out)
    return {ErrorKind::transient,
            fmt::format("{}: no progress for {:.1f} s while waiting for {} ({:.1f} s in all)", name,
                        std::chrono::duration<double>(dialler.options.answer_timeout).count(), what, waited)};
  const std::string cause = error == asio::error::eof ? "the connection was closed" : error.message();
  return {kind, fmt::format("{}: {} while waiting for {} ({:.1f} s)", name, cause, what, waited)};
}

void HttpClient::Impl::write_head(std::string& out, const Request& request) const {
  out.clear();
  out += request.method;
  out += ' ';
  const bool to_proxy = dialler.proxy && !dialler.origin.tls;
  if (to_proxy) out.append("http://").append(name);
  out += request.target;
  out += " HTTP/1.1\r\n";
  if (!request.headers.find("Host")) {
    const Origin& origin = dialler.origin;
    const bool usual = origin.port == (origin.tls ? 443 : 80);
    out.append("Host: ")
        .append(usual ? std::string_view(name).substr(0, name.rfind(':')) : name)
        .append("\r\n");
  }
  for (const auto& [field, value] : request.headers.fields())
    out.append(field).append(": ").append(value).append("\r\n");
  const std::size_t size = request.body.size();
  if (size > 0 || (request.method != "GET" && request.method != "HEAD"))
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", size);
  if (to_proxy && !dialler.proxy->authorization.empty())
    out.append("Proxy-Authorization: ").append(dialler.proxy->authorization.reveal()).append("\r\n");
  out += "\r\n";
}

Task<Answer> HttpClient::Impl::send(std::shared_ptr<Impl> self, const Request& request) {
  Impl& impl = *self;
  if (impl.config_error) co_return failed(*impl.config_error, false);
  if (!clean(request))
    co_return failed({ErrorKind::internal, "a line break in a header of a request to " + impl.name}, false);
  Slots::Lease slot = impl.slots.try_take();
  if (!slot) {
    const MonoTime deadline = impl.dialler.loop.now() + impl.dialler.options.answer_timeout;
    slot = co_await impl.slots.take(impl.dialler.loop, deadline);
    if (!slot) co_return failed(impl.no_connection_free(), false);
  }
  while (true) {
    if (impl.closed) co_return failed({ErrorKind::stopped, impl.name + ": the client was closed"}, false);
    std::unique_ptr<Connection> connection = impl.take_idle();
    const bool reused = connection != nullptr;
    if (!reused) {
      auto connected = co_await impl.dialler.connect();
      if (!connected) co_return failed(std::move(connected.error()), false);
      connection = std::move(*connected);
      connection->clear_deadline();
      ++impl.open;
    }
    bool unused = false;
    bool reusable = false;
    Answer answer = co_await impl.exchange(*connection, request, unused, reusable);
    if (reusable && !impl.closed) {
      impl.put_back(std::move(connection));
    } else {
      connection.reset();
      --impl.open;
    }
    if (unused && reused && !impl.closed) continue;
    co_return answer;
  }
}

// One coroutine from the request's first byte to the answer's last as long as both are small: each further
// frame would cost every request an allocation.
Task<Answer> HttpClient::Impl::exchange(Connection& connection, const Request& request, bool& unused,
                                        bool& reusable) {
  const MonoTime start = dialler.loop.now();
  write_head(connection.head_out, request);
  auto& buffers = connection.buffers_out;
  buffers.clear();
  buffers.push_back(asio::buffer(connection.head_out));
  buffers.push_back(asio::buffer(request.body.whole()));
  for (const auto piece : request.body.pieces()) buffers.push_back(asio::buffer(piece));
  Write write{buffers, {}};
  const bool at_once = connection.write_now(write);
  if (!at_once) write.result = co_await connection.finish(write);
  const IoResult sent = write.result;
  if (sent.error && (sent.bytes == 0 || sent.error == asio::error::timed_out)) {
    unused = sent.bytes == 0 && sent.error != asio::error::timed_out;
    co_return failed(broken(sent.error, "the request to be taken", start, ErrorKind::transient),
                     sent.bytes > 0);
  }
  // If the server stopped reading, it may have said why (413) before it cut the connection.
  const auto without_answer = [&](Error error) {
    reusable = false;
    if (sent.error) error = broken(sent.error, "the request to be taken", start, ErrorKind::transient);
    return failed(std::move(error), true);
  };

  const MonoTime asked = at_once ? start : dialler.loop.now();
  connection.set_deadline(asked + dialler.options.answer_timeout);  // a trickle does not prolong it
  const bool head_request = request.method == "HEAD";
  HeadSearch search;
  std::optional<Head> head;
  while (true) {
    auto next = next_head(connection, head_request, search);
    if (!next) co_return without_answer(std::move(next.error()));
    head = std::move(*next);
    if (head) break;
    const bool begun = !connection.buffered().empty();
    const IoResult got = co_await connection.fill();
    if (!got.error) continue;
    const std::string_view what = begun ? "the rest of the answer's header" : "the answer";
    co_return without_answer(broken(got.error, what, asked, ErrorKind::transient));
  }
  connection.clear_deadline();
  if (answered_by_proxy(*head)) co_return failed(wrong_proxy_user(), false);

  reusable = head->keep_alive && !sent.error;
  const std::uint64_t size = head->content_length.value_or(0);
  const bool sized = !head->chunked && !head->until_close;
  Result<Slab> body;
  if (head_request || head->status == 204 || head->status == 304 || (sized && size == 0)) {
    // There is none.
  } else if (!sized) {
    body = co_await receive_unsized(connection, head->chunked, reusable);
  } else if (size <= connection.buffered().size()) {
    body = dialler.loop.slabs().take(size);
    body->append(connection.buffered().substr(0, size));
    connection.consume(size);
  } else {
    body = co_await receive_sized(connection, size);
  }
  if (!body) co_return without_answer(std::move(body.error()));
  if (!connection.buffered().empty()) reusable = false;  // whatever that is, it is no answer of ours
  co_return Response{head->status, std::move(head->headers), std::move(*body)};
}

Error HttpClient::Impl::wrong_proxy_user() const {
  return {ErrorKind::denied,
          fmt::format("the proxy {} wants a user and a password, or other ones (407): write them into its "
                      "address, http://user:password@host:port",
                      host_and_port(dialler.proxy->host, dialler.proxy->port)),
          "HTTP 407"};
}

Error HttpClient::Impl::no_connection_free() const {
  const double waited = std::chrono::duration<double>(dialler.options.answer_timeout).count();
  return {ErrorKind::transient,
          fmt::format("{}: each of the {} connections that may be open was in use for {:.1f} s", name,
                      std::max<std::size_t>(dialler.options.max_connections, 1), waited)};
}

/// A server that names no request answers with the same head until its clock has gone on by a second.
std::expected<Head, std::string> HttpClient::Impl::parse_head(std::string_view text, bool head_request) {
  if (!head_request && text == last_head_text) return last_head;
  auto head = parse_response_head(text, head_request);
  if (head && !head_request && text.size() <= kMostKeptHeadBytes) {
    last_head_text = text;
    last_head = *head;
  }
  return head;
}

std::expected<std::optional<Head>, Error> HttpClient::Impl::next_head(Connection& connection,
                                                                      bool head_request, HeadSearch& search) {
  const auto corrupt = [this](std::string_view why) {
    return std::unexpected(
        Error{ErrorKind::corrupt, fmt::format("{}: the answer is not HTTP: {}", name, why)});
  };
  while (search.interim <= kMaxInterimAnswers) {
    const std::string_view bytes = connection.buffered();
    if (!std::string_view("HTTP/").starts_with(bytes.substr(0, 5))) return corrupt("it begins otherwise");
    const std::optional<std::size_t> end = find_head_end(bytes, search.searched);
    if (end.value_or(bytes.size()) > kMaxHeadBytes) return corrupt("its header is over 64 KB");
    if (!end) return std::nullopt;
    auto head = parse_head(bytes.substr(0, *end), head_request);
    if (!head) return corrupt(head.error());
    connection.consume(*end);
    if (head->status >= 200) return std::move(*head);
    if (head->status == 101) return corrupt("it switches to another protocol");
    ++search.interim;
    search.searched = 0;
  }
  return corrupt("too many interim answers");
}

Task<Result<Slab>> HttpClient::Impl::receive_sized(Connection& connection, std::uint64_t size) {
  if (size > dialler.options.max_body_bytes)
    co_return fail(ErrorKind::corrupt,
                   fmt::format("{}: the answer's body of {} bytes is over the limit of {}", name, size,
                               dialler.options.max_body_bytes));
  const MonoTime start = dialler.loop.now();
  Slab body = dialler.loop.slabs().take(size);
  body.resize(size);
  const IoResult got = co_await connection.read_all(body.data(), body.size());
  if (!got.error) co_return std::move(body);
  dialler.loop.slabs().give_back(std::move(body));
  const std::string what = fmt::format("the answer's body ({} of {} bytes had come)", got.bytes, size);
  co_return std::unexpected(broken(got.error, what, start, ErrorKind::corrupt));
}

/// A body in chunks is decoded where it was received; one without any length ends with the connection.
Task<Result<Slab>> HttpClient::Impl::receive_unsized(Connection& connection, bool chunked, bool& reusable) {
  const MonoTime start = dialler.loop.now();
  SlabPool& slabs = dialler.loop.slabs();
  Slab body = slabs.take(usual_unsized_bytes);
  ChunkDecoder decoder;
  std::optional<Error> error;
  while (!error && !decoder.done()) {
    const std::size_t before = body.size();
    if (body.capacity() - before < kUnknownBodyBytes / 4) body.reserve(body.capacity() * 2);
    const IoResult got = co_await connection.read_some(body.data() + before, body.capacity() - before);
    if (got.error == asio::error::eof && !chunked) break;
    if (got.error) {
      const std::string what = fmt::format("the rest of the answer's body ({} bytes had come)", before);
      error = broken(got.error, what, start, ErrorKind::corrupt);
      break;
    }
    std::size_t decoded = got.bytes;
    if (chunked) {
      const auto step = decoder.decode(body.data() + before, got.bytes);
      if (!step)
        error = Error{ErrorKind::corrupt, fmt::format("{}: the answer is not HTTP: {}", name, step.error())};
      decoded = step.value_or(0);
    }
    body.resize(before + decoded);
    if (!error && body.size() > dialler.options.max_body_bytes)
      error = Error{ErrorKind::corrupt, fmt::format("{}: the answer's body is over the limit of {} bytes",
                                                    name, dialler.options.max_body_bytes)};
  }
  if (decoder.leftover() > 0) reusable = false;
  if (error) {
    slabs.give_back(std::move(body));
    co_return std::unexpected(std::move(*error));
  }
  usual_unsized_bytes = std::max(kUnknownBodyBytes, body.size() + body.size() / 8);
  co_return std::move(body);
}

HttpClient::HttpClient(EventLoop& loop, Origin origin, ClientOptions options)
    : impl_(std::make_shared<Impl>(loop, std::move(origin), std::move(options))) {
  impl_->dialler.sweeper->on_tick = [weak = std::weak_ptr(impl_)](MonoTime now) {
    if (const auto impl = weak.lock()) impl->drop_old(now);
  };
}

HttpClient::~HttpClient() {
  EventLoop& loop = impl_->dialler.loop;
  // On the loop, where the sockets live; requests still under way end with an error.
  auto close = [impl = std::move(impl_)] {
    impl->closed = true;
    impl->dialler.sweeper->on_tick = nullptr;
    impl->dialler.sweeper->cut_all();
    impl->idle.clear();
  };
  asio::dispatch(loop.context(), std::move(close));
}

Task<std::expected<Response, SendError>> HttpClient::send(const Request& request) {
  return Impl::send(impl_, request);
}

const Origin& HttpClient::origin() const { return impl_->dialler.origin; }
std::size_t HttpClient::open_connections() const { return impl_->open; }

}  // namespace messina::net
