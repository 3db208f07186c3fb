// One HTTP exchange with a service that hands out credentials. Rare and small: each has a connection of its
// own.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/error.h"
#include "base/secret.h"
#include "net/http_client.h"

namespace messina::aws {

struct Reply {
  int status = 0;
  net::Headers headers;
  Secret body;
  std::optional<WallTime> server_time;  ///< its Date
};

/// On `loop`'s thread. `request.headers` needs no Host. Errors as net::HttpClient has them: asking once more
/// does no harm to anybody, so none is an unknown outcome.
Task<Result<Reply>> exchange(net::EventLoop& loop, const net::Origin& origin,
                             const net::ClientOptions& options, const net::Request& request);

/// As in a query or a form: all but RFC 3986's unreserved characters become %XX.
void append_percent_encoded(std::string& out, std::string_view text);

/// For those on this machine or beside it: no proxy, and `patience` to connect and to answer.
net::ClientOptions nearby(std::chrono::milliseconds patience);

}  // namespace messina::aws
