// Opens connections for HttpClient: name lookup, TCP, a proxy's CONNECT, TLS.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/secret.h"
#include "net/connection.h"
#include "net/http_client.h"

namespace messina::net {

/// An HTTP proxy's address, taken apart.
struct ProxyAddress {
  std::string host;
  std::uint16_t port = 0;
  /// The value of Proxy-Authorization, or empty.
  Secret authorization;
};

/// "http://[user:password@]host[:port][/]"; a missing scheme means http, a missing port 80. Errors: config;
/// they do not repeat what was given, which may hold a password.
Result<ProxyAddress> parse_proxy(std::string_view url);

/// "host:port", with brackets around an IPv6 address.
std::string host_and_port(std::string_view host, std::uint16_t port);

/// What every connection of a client needs.
struct Dialler {
  EventLoop& loop;
  Origin origin;
  ClientOptions options;
  std::optional<ProxyAddress> proxy;
  std::shared_ptr<TlsContext> tls;  ///< null for plain
  std::shared_ptr<Sweeper> sweeper;

  /// A connection ready for requests. All of it together within the connect timeout. Errors: transient,
  /// config, denied.
  Task<Result<std::unique_ptr<Connection>>> connect();

 private:
  Task<Result<std::vector<Tcp::endpoint>>> look_up(std::string host, std::uint16_t port, MonoTime deadline);
  Task<Result<std::unique_ptr<Connection>>> connect_tcp(std::string host, std::uint16_t port,
                                                        MonoTime deadline);
  Task<Result<void>> ask_proxy(Connection& connection);
  std::string through() const;
};

}  // namespace messina::net
