#include "net/chunked.h"

#include <algorithm>
#include <cstring>

namespace messina::net {
namespace {
/// Extensions and trailers of a whole body: nobody sends more, and an endless one must end.
constexpr std::size_t kMaxSkippedBytes = 64u << 10;
/// Far above every body limit, far below an overflow.
constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{1} << 40;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
}  // namespace

std::expected<std::size_t, std::string_view> ChunkDecoder::decode(char* data, std::size_t size) {
  std::size_t in = 0;
  std::size_t out = 0;
  while (in < size && state_ != State::done) {
    if (state_ == State::data) {
      const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, size - in));
      if (in != out) std::memmove(data + out, data + in, piece);
      in += piece;
      out += piece;
      remaining_ -= piece;
      if (remaining_ == 0) state_ = State::data_cr;
      continue;
    }
    if (const std::string_view error = step(data[in++]); !error.empty()) return std::unexpected(error);
  }
  leftover_ = size - in;
  return out;
}

/// One byte of framing. Returns what is wrong with it, or nothing.
std::string_view ChunkDecoder::step(char c) {
  switch (state_) {
    case State::size:
      if (const int digit = hex_value(c); digit >= 0) {
        any_digit_ = true;
        remaining_ = remaining_ * 16 + static_cast<unsigned>(digit);
        return remaining_ > kMaxChunkBytes ? "a chunk's size is out of range" : "";
      }
      if (!any_digit_) return "a chunk does not begin with its size";
      if (c == '\r')
        state_ = State::size_lf;
      else if (c == ';' || c == ' ' || c == '\t')
        state_ = State::extension;
      else
        return "a chunk's size is no hexadecimal number";
      return "";
    case State::extension:
      if (c == '\r') state_ = State::size_lf;
      return ++skipped_ > kMaxSkippedBytes ? "the chunks' extensions are over 64 KB" : "";
    case State::size_lf:
      if (c != '\n') return "a chunk's size does not end with CR LF";
      state_ = remaining_ == 0 ? State::trailer_start : State::data;
      any_digit_ = false;
      return "";
    case State::data_cr:
      if (c != '\r') return "a chunk is longer than its size says";
      state_ = State::data_lf;
      return "";
    case State::data_lf:
      if (c != '\n') return "a chunk does not end with CR LF";
      state_ = State::size;
      return "";
    case State::trailer_start:
      state_ = c == '\r' ? State::end_lf : State::trailer;
      return "";
    case State::trailer:
      if (c == '\r') state_ = State::trailer_lf;
      return ++skipped_ > kMaxSkippedBytes ? "the trailers are over 64 KB" : "";
    case State::trailer_lf:
      if (c != '\n') return "a trailer does not end with CR LF";
      state_ = State::trailer_start;
      return "";
    case State::end_lf:
      if (c != '\n') return "the last chunk does not end with CR LF";
      state_ = State::done;
      return "";
    case State::data:
    case State::done:
      break;
  }
  return "";
}

}  // namespace messina::net
