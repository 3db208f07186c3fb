// HTTP/1.1 messages as the rest of messina sees them. Beast stays behind these types (net/*.cc).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/slab.h"

namespace messina::net {

/// Header fields in order. Names compare without case.
class Headers {
 public:
  void add(std::string name, std::string value) {
    if (fields_.capacity() == 0) fields_.reserve(kUsualFields);
    fields_.emplace_back(std::move(name), std::move(value));
  }
  void append(Headers&& others) {
    for (auto& field : others.fields_) fields_.push_back(std::move(field));
  }
  /// Replaces all of that name.
  void set(std::string_view name, std::string value);
  /// The first of that name.
  std::optional<std::string_view> find(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  /// Most heads have no more: one allocation instead of four.
  static constexpr std::size_t kUsualFields = 8;

  std::vector<std::pair<std::string, std::string>> fields_;
};

/// A request. The sender adds Content-Length and, unless `headers` has it already (it is signed, so the
/// signer sets it), Host. `body` must stay alive until send() has returned.
struct Request {
  std::string_view method = "POST";
  std::string target = "/";
  Headers headers = {};
  std::string_view body = {};
};

struct Response {
  int status = 0;
  Headers headers = {};
  Slab body = {};  ///< padded for simdjson; give it back to the client's SlabPool
};

}  // namespace messina::net
