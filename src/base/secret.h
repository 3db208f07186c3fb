// Values that must never be printed.
#pragma once
#include <string>
#include <string_view>
#include <utility>

namespace messina {

/// Holds a password or key. It has no conversion to text, so it cannot slip into a log, a message or the
/// state; reveal() marks each place that really needs it. The memory is wiped at the end.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) = default;
  ~Secret() { wipe(); }

  bool empty() const { return value_.empty(); }
  std::string_view reveal() const { return value_; }
  bool operator==(const Secret&) const = default;

 private:
  void wipe() {
    volatile char* p = value_.data();
    for (std::size_t i = 0; i < value_.size(); ++i) p[i] = 0;
  }
  std::string value_;
};

}  // namespace messina
