// The heads of HTTP/1.1 messages, parsed by Beast (head.cc is the only file that includes it).
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace messina::net {

/// Longest head accepted, request or status line included.
inline constexpr std::size_t kMaxHeadBytes = 64u << 10;

struct Head {
  int status = 0;      ///< responses
  std::string method;  ///< requests
  std::string target;  ///< requests
  Headers headers;
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  bool until_close = false;  ///< a response whose body ends with the connection
  bool keep_alive = false;
};

/// Where the head ends in `bytes` (behind its empty line), or nothing if more has to come. `searched` is
/// where the last search ended: 0 at first.
std::optional<std::size_t> find_head_end(std::string_view bytes, std::size_t& searched);

/// `bytes` is one whole head, as found by find_head_end(). `no_body`: the answer to a HEAD request. The error
/// says what is wrong with it.
std::expected<Head, std::string> parse_response_head(std::string_view bytes, bool no_body);
std::expected<Head, std::string> parse_request_head(std::string_view bytes);

}  // namespace messina::net
