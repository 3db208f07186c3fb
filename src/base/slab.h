// Byte buffers of the data path: big, reused, and padded for SIMD parsers.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

namespace messina {

/// Bytes that simdjson may read (never write) past the end of a document (simdjson, doc/basics.md:
/// SIMDJSON_PADDING).
inline constexpr std::size_t kSlabPadding = 64;

/// An owned buffer with `size()` bytes in use and at least kSlabPadding readable bytes behind them. Unlike
/// std::string it does not clear what it is about to receive. Movable, not copyable; not thread-safe.
class Slab {
 public:
  Slab() = default;
  explicit Slab(std::size_t capacity) { reserve(capacity); }

  char* data() { return bytes_.get(); }
  const char* data() const { return bytes_.get(); }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::string_view view() const { return {bytes_.get(), size_}; }
  bool empty() const { return size_ == 0; }

  /// Keeps the bytes in use. Throws std::bad_alloc.
  void reserve(std::size_t capacity);
  /// Grows or shrinks without clearing; new bytes are indeterminate.
  void resize(std::size_t size) {
    if (size > capacity_) reserve(size);
    size_ = size;
  }
  void clear() { size_ = 0; }
  void append(std::string_view bytes) {
    if (size_ + bytes.size() > capacity_) grow(size_ + bytes.size());
    std::char_traits<char>::copy(bytes_.get() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }

 private:
  void grow(std::size_t needed);

  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

/// Keeps slabs for reuse, since fresh megabytes cost page faults. One per event loop; not thread-safe.
class SlabPool {
 public:
  /// Holds back at most this many bytes of idle slabs.
  explicit SlabPool(std::size_t max_idle_bytes) : max_idle_bytes_(max_idle_bytes) {}

  /// An empty slab of at least that capacity: the smallest idle one that fits (if not over 4 times as large),
  /// or a new one.
  Slab take(std::size_t capacity);
  void give_back(Slab slab);
  std::size_t idle_bytes() const { return idle_bytes_; }

 private:
  std::vector<Slab> idle_;
  std::size_t idle_bytes_ = 0;
  std::size_t max_idle_bytes_;
};

}  // namespace messina
