// HTTP answers: heads of any bytes are understood or refused, and a chunked body decodes the same however it
// was cut. The input is a head and what follows it.
#include <string>

#include "fuzz/fuzz.h"
#include "net/chunked.h"
#include "net/head.h"

using messina::fuzz::require;

namespace {

struct Decoded {
  std::string body;
  bool done = false;
  bool failed = false;
  std::size_t leftover = 0;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view bytes, std::size_t piece_bytes) {
  messina::net::ChunkDecoder decoder;
  Decoded result;
  while (!bytes.empty() && !decoder.done() && !result.failed) {
    std::string piece(bytes.substr(0, piece_bytes));
    bytes.remove_prefix(piece.size());
    const auto got = decoder.decode(piece.data(), piece.size());
    result.failed = !got;
    if (got) {
      require(*got <= piece.size(), "decoding does not add bytes");
      result.body += piece.substr(0, *got);
    }
  }
  result.done = decoder.done();
  if (result.done) result.leftover = decoder.leftover() + bytes.size();
  if (result.failed) result.body.clear();  // how much came before the error depends on the cuts
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input = messina::fuzz::input(data, size);
  std::size_t searched = 0;
  const auto end = messina::net::find_head_end(input, searched);
  if (end) {
    require(*end <= input.size(), "a head ends within the input");
    (void)messina::net::parse_response_head(input.substr(0, *end), false);
    (void)messina::net::parse_request_head(input.substr(0, *end));
  }
  const std::string_view body = input.substr(end.value_or(0));
  const Decoded whole = decode(body, body.size() + 1);
  require(decode(body, 1) == whole, "the cuts of a chunked body do not matter");
  require(decode(body, 7) == whole, "the cuts of a chunked body do not matter");
  return 0;
}
