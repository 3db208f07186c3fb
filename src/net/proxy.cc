#include "net/proxy.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include "net/http_client.h"

namespace messina::net {
namespace {

namespace ip = asio::ip;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
  return out;
}

/// Without the brackets of an IPv6 address and without the dot that ends an absolute name.
std::string_view bare(std::string_view host) {
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') return host.substr(1, host.size() - 2);
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

std::optional<ip::address> address_of(std::string_view text) {
  boost::system::error_code error;
  const auto address = ip::make_address(std::string(text), error);
  if (error) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

bool in_block(const ip::address& address, const std::string& block) {
  boost::system::error_code error;
  if (address.is_v4()) {
    const auto network = ip::make_network_v4(block, error);
    return !error &&
           ip::network_v4(address.to_v4(), network.prefix_length()).canonical() == network.canonical();
  }
  const auto network = ip::make_network_v6(block, error);
  return !error &&
         ip::network_v6(address.to_v6(), network.prefix_length()).canonical() == network.canonical();
}

bool is_loopback(std::string_view host, const std::optional<ip::address>& address) {
  return address ? address->is_loopback() : host == "localhost" || host.ends_with(".localhost");
}

/// One entry of NO_PROXY. `host` is in lower case and bare.
bool covers(std::string_view entry, std::string_view host, std::uint16_t port,
            const std::optional<ip::address>& address) {
  if (entry == "*") return true;
  if (address && entry.find('/') != std::string_view::npos) return in_block(*address, std::string(entry));
  // "host:port" and "[address]:port"; more than one colon without brackets is an IPv6 address.
  const std::size_t colon = entry.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (entry.find(':') == colon || entry[colon - 1] == ']');
  if (has_port) {
    std::uint16_t wanted = 0;
    const char* const end = entry.data() + entry.size();
    const auto [stop, error] = std::from_chars(entry.data() + colon + 1, end, wanted);
    if (error != std::errc() || stop != end || wanted != port) return false;
    entry = entry.substr(0, colon);
  }
  entry = bare(entry);
  if (address) {
    const auto wanted = address_of(entry);
    return wanted && *wanted == *address;
  }
  if (entry.starts_with("*.")) entry.remove_prefix(1);
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || !host.ends_with(entry)) return false;
  return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}

bool excepted(std::string_view list, const Origin& origin) {
  const std::string host = lower(bare(origin.host));
  const auto address = address_of(host);
  if (is_loopback(host, address)) return true;
  const std::string entries = lower(list);
  constexpr std::string_view separators = ", \t";
  for (std::size_t at = 0; (at = entries.find_first_not_of(separators, at)) != std::string::npos;) {
    const std::size_t end = std::min(entries.find_first_of(separators, at), entries.size());
    if (covers(std::string_view(entries).substr(at, end - at), host, origin.port, address)) return true;
    at = end;
  }
  return false;
}

std::optional<std::string> first_of(const Environment& environment,
                                    std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names)
    if (auto value = environment(name); value && !value->empty()) return value;
  return std::nullopt;
}

}  // namespace

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* const value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

std::optional<std::string> proxy_from_environment(const Origin& origin, const Environment& environment) {
  std::optional<std::string> proxy;
  if (origin.tls)
    proxy = first_of(environment, {"HTTPS_PROXY", "https_proxy"});
  else if (environment("REQUEST_METHOD"))  // a CGI program: HTTP_PROXY is then the client's header "Proxy"
    proxy = first_of(environment, {"http_proxy"});
  else
    proxy = first_of(environment, {"HTTP_PROXY", "http_proxy"});
  if (!proxy) return std::nullopt;
  const auto exceptions = first_of(environment, {"NO_PROXY", "no_proxy"});
  if (excepted(exceptions.value_or(""), origin)) return std::nullopt;
  return proxy;
}

}  // namespace messina::net
