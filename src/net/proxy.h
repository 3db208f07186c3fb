// Which proxy an origin is reached through, from the environment.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "net/http_client.h"

namespace messina::net {

/// Reads an environment variable; handed in so that tests need no real environment.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;
Environment process_environment();

/// HTTPS_PROXY/https_proxy for TLS origins, HTTP_PROXY/http_proxy (lower case only when REQUEST_METHOD is
/// set, as curl does) for plain ones, unless NO_PROXY/no_proxy covers the host: "*", exact names, suffixes
/// with or without a leading dot, host:port, addresses and CIDR blocks. Loopback is never proxied.
std::optional<std::string> proxy_from_environment(const Origin& origin, const Environment& environment);

}  // namespace messina::net
