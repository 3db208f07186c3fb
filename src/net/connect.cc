#include "net/connect.h"

#include <charconv>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <spdlog/fmt/fmt.h>

#include "base/hash.h"
#include "net/head.h"

namespace messina::net {
namespace {

std::string seconds(Duration duration) {
  return fmt::format("{:.1f} s", std::chrono::duration<double>(duration).count());
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      out.push_back(static_cast<char>(value));
      i += 2;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

/// A lookup cannot be interrupted (getaddrinfo runs on Asio's own thread), so its waiter may leave before it
/// ends.
struct Lookup {
  explicit Lookup(asio::io_context& context) : resolver(context), done(context) {}
  asio::ip::basic_resolver<Tcp, asio::io_context::executor_type> resolver;
  Timer done;
  bool finished = false;
  error_code error;
  std::vector<Tcp::endpoint> endpoints;
};

std::string reason(const error_code& error, Duration waited) {
  if (error == asio::error::timed_out) return "no answer within " + seconds(waited);
  return error == asio::error::eof ? "the connection was closed" : error.message();
}

}  // namespace

Result<ProxyAddress> parse_proxy(std::string_view url) {
  const auto wrong = [](std::string_view what) {
    return fail(
        ErrorKind::config,
        fmt::format("the proxy's address {}: it must look like http://host:port (HTTPS_PROXY, HTTP_PROXY)",
                    what));
  };
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    if (url.substr(0, scheme) != "http") return wrong("is not an http:// one");
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find('/'));
  ProxyAddress proxy;
  if (const std::size_t at = url.rfind('@'); at != std::string_view::npos) {
    proxy.authorization = Secret("Basic " + base64_encode(percent_decoded(url.substr(0, at))));
    url.remove_prefix(at + 1);
  }
  std::string_view port;
  if (url.starts_with('[')) {
    const std::size_t end = url.find(']');
    if (end == std::string_view::npos) return wrong("lacks a ]");
    proxy.host = url.substr(1, end - 1);
    port = url.substr(end + 1);
  } else {
    const std::size_t colon = std::min(url.find(':'), url.size());
    proxy.host = url.substr(0, colon);
    port = url.substr(colon);
  }
  proxy.port = 80;
  if (!port.empty()) {
    const char* const end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data() + 1, end, proxy.port);
    if (port.front() != ':' || error != std::errc() || stop != end || proxy.port == 0)
      return wrong("has a bad port");
  }
  if (proxy.host.empty()) return wrong("has no host");
  return proxy;
}

std::string host_and_port(std::string_view host, std::uint16_t port) {
  return host.find(':') == std::string_view::npos ? fmt::format("{}:{}", host, port)
                                                  : fmt::format("[{}]:{}", host, port);
}

Task<Result<std::vector<Tcp::endpoint>>> Dialler::look_up(std::string host, std::uint16_t port,
                                                          MonoTime deadline) {
  error_code no_address;
  const auto address = asio::ip::make_address(host, no_address);
  if (!no_address) co_return std::vector<Tcp::endpoint>{Tcp::endpoint(address, port)};

  const auto lookup = std::make_shared<Lookup>(loop.context());
  lookup->done.expires_at(deadline);
  lookup->resolver.async_resolve(host, std::to_string(port), [lookup](error_code error, const auto& results) {
    lookup->finished = true;
    lookup->error = error;
    for (const auto& entry : results) lookup->endpoints.push_back(entry.endpoint());
    lookup->done.cancel();
  });
  co_await lookup->done.async_wait(kAwait);
  if (!lookup->finished)
    co_return fail(ErrorKind::transient, fmt::format("looking up the name {} took longer than {}", host,
                                                     seconds(options.connect_timeout)));
  if (lookup->error)
    co_return fail(ErrorKind::transient,
                   fmt::format("the name {} cannot be looked up: {}; check the name and this "
                               "machine's DNS",
                               host, lookup->error.message()));
  co_return std::move(lookup->endpoints);
}

Task<Result<std::unique_ptr<Connection>>> Dialler::connect_tcp(std::string host, std::uint16_t port,
                                                               MonoTime deadline) {
  auto endpoints = co_await look_up(host, port, deadline);
  if (!endpoints) co_return std::unexpected(std::move(endpoints.error()));
  std::string failures;
  for (std::size_t i = 0; i < endpoints->size(); ++i) {
    const Tcp::endpoint endpoint = (*endpoints)[i];
    auto connection =
        std::make_unique<Connection>(loop, Socket(loop.context()), sweeper, options.answer_timeout);
    // Each address gets an equal share of what is left, so that one which swallows packets does not hide the
    // others.
    const MonoTime start = loop.now();
    connection->set_deadline(start + (deadline - start) / static_cast<int>(endpoints->size() - i));
    const error_code error = co_await connection->connect(endpoint);
    if (!error) {
      connection->set_deadline(deadline);
      co_return connection;
    }
    failures += fmt::format("{}{}: {}", failures.empty() ? "" : "; ", endpoint.address().to_string(),
                            reason(error, loop.now() - start));
  }
  co_return fail(ErrorKind::transient,
                 fmt::format("cannot connect to {} ({})", host_and_port(host, port), failures));
}

std::string Dialler::through() const {
  return proxy ? fmt::format(" through the proxy {}", host_and_port(proxy->host, proxy->port)) : "";
}

Task<Result<void>> Dialler::ask_proxy(Connection& connection) {
  const MonoTime start = loop.now();
  const std::string target = host_and_port(origin.host, origin.port);
  const std::string name = "the proxy " + host_and_port(proxy->host, proxy->port);
  std::string ask = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", target);
  if (!proxy->authorization.empty())
    fmt::format_to(std::back_inserter(ask), "Proxy-Authorization: {}\r\n", proxy->authorization.reveal());
  ask += "\r\n";
  std::array<asio::const_buffer, 1> buffers{asio::buffer(ask)};
  const std::span<asio::const_buffer> all(buffers);
  const IoResult sent = co_await connection.write_all(all);
  error_code error = sent.error;
  std::size_t searched = 0;
  std::optional<std::size_t> end;
  while (!error && !end && connection.buffered().size() <= kMaxHeadBytes) {
    const IoResult got = co_await connection.fill();
    error = got.error;
    end = find_head_end(connection.buffered(), searched);
  }
  if (error)
    co_return fail(ErrorKind::transient, fmt::format("{} did not answer CONNECT {}: {}", name, target,
                                                     reason(error, loop.now() - start)));
  const auto head = end ? parse_response_head(connection.buffered().substr(0, *end), true)
                        : std::expected<Head, std::string>(std::unexpected("its header is over 64 KB"));
  if (!head) co_return fail(ErrorKind::config, fmt::format("{} does not speak HTTP: {}", name, head.error()));
  connection.consume(*end);
  if (head->status / 100 == 2) {
    if (connection.buffered().empty()) co_return Result<void>();
    co_return fail(ErrorKind::config,
                   fmt::format("{} sent data of its own into the tunnel to {}", name, target));
  }
  if (head->status == 407)
    co_return fail(
        ErrorKind::denied,
        fmt::format("{} wants a user and a password, or other ones (407): write them into its address, "
                    "http://user:password@host:port",
                    name),
        "HTTP 407");
  const ErrorKind kind = head->status == 403   ? ErrorKind::denied
                         : head->status >= 500 ? ErrorKind::transient
                                               : ErrorKind::config;
  co_return fail(kind, fmt::format("{} refuses to connect to {} (HTTP {})", name, target, head->status),
                 fmt::format("HTTP {}", head->status));
}

Task<Result<std::unique_ptr<Connection>>> Dialler::connect() {
  const MonoTime start = loop.now();
  const MonoTime deadline = start + options.connect_timeout;
  std::string host = proxy ? proxy->host : origin.host;
  auto connected = co_await connect_tcp(std::move(host), proxy ? proxy->port : origin.port, deadline);
  if (!connected || tls == nullptr) co_return connected;
  Connection& connection = **connected;
  if (proxy) {
    auto tunnel = co_await ask_proxy(connection);
    if (!tunnel) co_return std::unexpected(std::move(tunnel.error()));
  }
  const std::string peer = host_and_port(origin.host, origin.port);
  const std::string name = options.tls.server_name.empty() ? origin.host : options.tls.server_name;
  const auto secured = co_await connection.start_tls(tls, name, peer);
  if (!secured && secured.error().kind == ErrorKind::transient)
    co_return fail(ErrorKind::transient,
                   fmt::format("TLS with {}{} did not come about in {}: {}", peer, through(),
                               seconds(loop.now() - start), secured.error().message));
  if (!secured) co_return std::unexpected(secured.error());
  co_return connected;
}

}  // namespace messina::net
