#include "item/compare.h"

#include <algorithm>
#include <memory>
#include <vector>

namespace messina::item {
namespace {

template <class T>
bool equal_sets(const std::vector<T>& a, const std::vector<T>& b) {
  const auto sorted = [](const std::vector<T>& members) {
    std::vector<const T*> out;
    out.reserve(members.size());
    for (const T& member : members) out.push_back(&member);
    std::ranges::sort(out, [](const T* x, const T* y) { return *x < *y; });
    const auto repeated = std::ranges::unique(out, [](const T* x, const T* y) { return *x == *y; });
    out.erase(repeated.begin(), repeated.end());
    return out;
  };
  return std::ranges::equal(sorted(a), sorted(b), [](const T* x, const T* y) { return *x == *y; });
}

struct Equal {
  bool operator()(const std::string& a, const std::string& b) const { return a == b; }
  bool operator()(const Number& a, const Number& b) const { return a == b; }
  bool operator()(const Binary& a, const Binary& b) const { return a == b; }
  bool operator()(bool a, bool b) const { return a == b; }
  bool operator()(Null, Null) const { return true; }
  bool operator()(const Map& a, const Map& b) const { return equal(a, b); }
  bool operator()(const List& a, const List& b) const {
    return std::ranges::equal(a, b, [](const Value& x, const Value& y) { return equal(x, y); });
  }
  bool operator()(const StringSet& a, const StringSet& b) const { return equal_sets(a.members, b.members); }
  bool operator()(const NumberSet& a, const NumberSet& b) const { return equal_sets(a.members, b.members); }
  bool operator()(const BinarySet& a, const BinarySet& b) const { return equal_sets(a.members, b.members); }
  template <class A, class B>
  bool operator()(const A&, const B&) const {
    return false;  // two types
  }
};

// "An attribute of type List or Map requires 3 bytes of overhead, regardless of its contents", and each
// element 1 byte.
constexpr std::size_t kContainerBytes = 3;
constexpr std::size_t kElementBytes = 1;

struct Size {
  std::size_t operator()(const std::string& text) const { return text.size(); }
  std::size_t operator()(const Number& number) const { return number.size_bytes(); }
  std::size_t operator()(const Binary& binary) const { return binary.bytes.size(); }
  std::size_t operator()(bool) const { return 1; }
  std::size_t operator()(Null) const { return 1; }
  std::size_t operator()(const Map& map) const {
    return kContainerBytes + kElementBytes * map.size() + size_bytes(map);
  }
  std::size_t operator()(const List& list) const {
    std::size_t total = kContainerBytes + kElementBytes * list.size();
    for (const Value& element : list) total += size_bytes(element);
    return total;
  }
  template <class Set>
  std::size_t operator()(const Set& set) const {
    std::size_t total = 0;
    for (const auto& member : set.members) total += (*this)(member);
    return total;
  }
};

}  // namespace

bool equal(const Value& a, const Value& b) { return std::visit(Equal{}, a.data, b.data); }

bool equal(const Item& a, const Item& b) {
  return std::ranges::equal(
      a, b, [](const auto& x, const auto& y) { return x.first == y.first && equal(x.second, y.second); });
}

std::partial_ordering compare(const Value& a, const Value& b) {
  if (a.data.index() != b.data.index()) return std::partial_ordering::unordered;
  // std::string orders by unsigned bytes (char_traits<char>::compare), as DynamoDB does.
  switch (type_of(a)) {
    case Type::S:
      return std::get<std::string>(a.data) <=> std::get<std::string>(b.data);
    case Type::N:
      return std::get<Number>(a.data) <=> std::get<Number>(b.data);
    case Type::B:
      return std::get<Binary>(a.data) <=> std::get<Binary>(b.data);
    default:
      return std::partial_ordering::unordered;
  }
}

std::size_t size_bytes(const Value& value) { return std::visit(Size{}, value.data); }

std::size_t size_bytes(const Item& item) {
  std::size_t total = 0;
  for (const auto& [name, value] : item) total += name.size() + size_bytes(value);
  return total;
}

}  // namespace messina::item
