// HTTP/1.1 messages as the rest of messina sees them. Beast stays behind these types (net/*.cc).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/slab.h"

namespace messina::net {

/// Header fields in order. Names compare without case. Copies share their fields until one of them is
/// changed: a client's many requests, and the answers to them, have the same ones again and again.
class Headers {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;

  void add(std::string name, std::string value);
  void append(Headers&& others);
  /// Replaces all of that name.
  void set(std::string_view name, std::string value);
  /// The first of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  const Fields& fields() const;
  /// False if a line break stands in one of them, which would make what follows a header of its own.
  bool clean() const { return shared_ == nullptr || shared_->clean; }

 private:
  struct Shared {
    Fields fields;
    bool clean = true;
  };
  Shared& own();

  std::shared_ptr<Shared> shared_;
};

/// A request's body: bytes that lie together, or pieces that go out one behind the other from where they lie,
/// which saves copying large ones. On TLS each piece becomes a record of its own, or several. Views: what
/// they name must stay alive until send() has returned.
class Body {
 public:
  Body() = default;
  template <class Text>
    requires std::is_convertible_v<Text, std::string_view>
  Body(const Text& whole) : whole_(whole) {}  // NOLINT(google-explicit-constructor): most bodies are a text
  explicit Body(std::span<const std::string_view> pieces) : pieces_(pieces) {}

  std::size_t size() const {
    std::size_t size = whole_.size();
    for (const auto piece : pieces_) size += piece.size();
    return size;
  }
  bool empty() const { return size() == 0; }
  /// Bytes that lie together; those of pieces do not.
  std::string_view whole() const { return whole_; }
  std::span<const std::string_view> pieces() const { return pieces_; }

 private:
  std::string_view whole_;
  std::span<const std::string_view> pieces_;
};

/// A request. The sender adds Content-Length and, unless `headers` has it already (it is signed, so the
/// signer sets it), Host.
struct Request {
  std::string_view method = "POST";
  std::string target = "/";
  Headers headers = {};
  Body body = {};
};

struct Response {
  int status = 0;
  Headers headers = {};
  Slab body = {};  ///< padded for simdjson; give it back to the client's SlabPool
};

}  // namespace messina::net
