// Chunked transfer coding, decoded where the bytes lie (RFC 9112 section 7.1). Pure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>

namespace messina::net {

/// Takes a body piece by piece, as it comes from the socket. Chunk extensions and trailers are skipped.
class ChunkDecoder {
 public:
  /// Decodes `size` received bytes at `data` in place: returns how many bytes of the body lie at `data` now.
  /// After an error (its text) the decoder is of no more use.
  std::expected<std::size_t, std::string_view> decode(char* data, std::size_t size);

  /// The last chunk and the trailers have been seen.
  bool done() const { return state_ == State::done; }
  /// Received bytes behind the end of the body, which decode() did not look at.
  std::size_t leftover() const { return leftover_; }

 private:
  enum class State : std::uint8_t {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_start,
    trailer,
    trailer_lf,
    end_lf,
    done,
  };
  std::string_view step(char c);

  State state_ = State::size;
  bool any_digit_ = false;
  std::uint64_t remaining_ = 0;  // of the present chunk
  std::size_t skipped_ = 0;      // bytes of extensions and trailers
  std::size_t leftover_ = 0;
};

}  // namespace messina::net
