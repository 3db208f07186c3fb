#include "aws/credential_http.h"

#include <algorithm>

#include "aws/times.h"
#include "base/log.h"

namespace messina::aws {
namespace {
/// Answers are a few KB.
constexpr std::size_t kMaxAnswerBytes = 1u << 20;
}  // namespace

Task<Result<Reply>> exchange(net::EventLoop& loop, const net::Origin& origin,
                             const net::ClientOptions& options, const net::Request& request) {
  net::ClientOptions bounded = options;
  bounded.max_body_bytes = kMaxAnswerBytes;
  net::HttpClient client(loop, origin, std::move(bounded));
  auto answer = co_await client.send(request);
  if (!answer) co_return fail(std::move(answer.error().error));
  Reply reply;
  reply.status = answer->status;
  reply.body = Secret(std::string(answer->body.view()));
  std::fill_n(answer->body.data(), answer->body.size(), '\0');  // its memory goes back to the heap
  if (const auto date = answer->headers.find("Date")) reply.server_time = parse_http_date(*date);
  reply.headers = std::move(answer->headers);
  co_return reply;
}

void append_percent_encoded(std::string& out, std::string_view text) {
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    if (plain)
      out += c;
    else
      fmt::format_to(std::back_inserter(out), "%{:02X}", static_cast<unsigned char>(c));
  }
}

net::ClientOptions nearby(std::chrono::milliseconds patience) {
  net::ClientOptions options;
  options.connect_timeout = patience;
  options.answer_timeout = patience;
  return options;
}

}  // namespace messina::aws
