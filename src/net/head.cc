#include "net/head.h"

#include <boost/beast/http/basic_parser.hpp>

namespace messina::net {
namespace {
namespace http = boost::beast::http;
using boost::beast::string_view;
using boost::system::error_code;

/// Beast checks and cuts; the fields go straight into our own types instead of through Beast's.
template <bool is_request>
class HeadParser final : public http::basic_parser<is_request> {
 public:
  Head head;

 private:
  void on_request_impl(http::verb, string_view method, string_view target, int, error_code&) override {
    head.method = method;
    head.target = target;
  }
  void on_response_impl(int code, string_view, int, error_code&) override { head.status = code; }
  void on_field_impl(http::field, string_view name, string_view value, error_code&) override {
    head.headers.add(std::string(name), std::string(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
    return body.size();
  }
  void on_finish_impl(error_code&) override {}
};

template <bool is_request>
std::expected<Head, std::string> parse(std::string_view bytes, bool no_body) {
  HeadParser<is_request> parser;
  parser.header_limit(kMaxHeadBytes + 1);
  parser.body_limit(boost::none);
  parser.skip(no_body);
  error_code error;
  parser.put(boost::asio::buffer(bytes), error);
  if (error && error != http::error::need_more) return std::unexpected(error.message());
  if (!parser.is_header_done()) return std::unexpected("incomplete header");
  Head head = std::move(parser.head);
  if (const auto length = parser.content_length()) head.content_length = *length;
  head.chunked = parser.chunked();
  head.keep_alive = parser.keep_alive();
  head.until_close = !is_request && parser.need_eof();
  return head;
}
}  // namespace

std::optional<std::size_t> find_head_end(std::string_view bytes, std::size_t& searched) {
  static constexpr std::string_view end = "\r\n\r\n";
  const std::size_t at = bytes.find(end, searched);
  if (at != std::string_view::npos) return at + end.size();
  searched = bytes.size() < end.size() ? 0 : bytes.size() - end.size() + 1;
  return std::nullopt;
}

std::expected<Head, std::string> parse_response_head(std::string_view bytes, bool no_body) {
  return parse<false>(bytes, no_body);
}

std::expected<Head, std::string> parse_request_head(std::string_view bytes) {
  return parse<true>(bytes, false);
}

}  // namespace messina::net
