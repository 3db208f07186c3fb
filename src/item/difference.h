// Whether two items are equal as DynamoDB compares values, and where they are not.
#pragma once
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace messina::item {

/// One place in which a target's item is not its source's.
struct Difference {
  enum class Kind : std::uint8_t {
    missing,  ///< the source has it, the target has not
    extra,    ///< only the target has it
    type,     ///< both have it, with values of two types
    value,    ///< both have it, with two values of one type; also what is no value at all
  };
  /// A document path, address.lines[2]. Names of other characters than letters, digits, '_' and '-' stand as
  /// JSON strings: a."b.c". Empty: the item as a whole is no item.
  std::string path;
  Kind kind = Kind::value;
  /// The target's value beside the source's, where both have an order (S, N, B): `less` where the target has
  /// the smaller one.
  std::partial_ordering target_is = std::partial_ordering::unordered;
  bool operator==(const Difference&) const = default;
};

/// The path of what is inside of the map, or the list, at `parent` (empty: the item).
std::string member_path(const std::string& parent, std::string_view name);
std::string member_path(const std::string& parent, std::size_t index);

/// Compares raw items (DynamoDB JSON): attributes by their bytes first, parsed only where those differ, so
/// that items which both sides render alike cost no parsing. Order of attributes, white space, how numbers
/// and strings are written and the order of sets do not count; a set's repeated members count once, and of an
/// attribute that stands twice the first counts. Text that is no item differs from every other text, but for
/// one with the same bytes as attributes. Keeps memory between calls; not thread-safe.
class ItemComparer {
 public:
  bool equal(std::string_view source, std::string_view target);
  /// True only if they are equal; false also where that cannot be told without parsing all of them.
  bool equal_by_attributes(std::string_view source, std::string_view target);
  /// Whether `rest`, which may go on, begins with an item that is as long as the source's and equal to it.
  /// False also where that is told only by parsing. Items with the attributes of the one before, in the order
  /// in which either side had them then, are not walked over.
  bool begins_equal(std::string_view source, std::string_view rest);
  /// The first `most` differences, in the order of the source's names, then what only the target has. Empty
  /// if they are equal.
  std::vector<Difference> differences(std::string_view source, std::string_view target, std::size_t most);

 private:
  struct Attribute {
    std::string_view name;   ///< unescaped
    std::string_view value;  ///< raw
    bool found = false;      ///< on the target
  };
  /// The attributes of an item that begins_equal() found equal, as it was written without escapes in names.
  struct Shape {
    std::vector<std::string> names;      ///< `"name":`, in the source's order; all different
    std::vector<std::size_t> on_target;  ///< which of them each of the target's is
  };
  bool read_source(std::string_view raw);
  Attribute* find(std::string_view name);
  std::string_view unescaped(std::string_view name);
  /// How much of `rest` an item is that it begins with and that is equal; 0: none, or it cannot be told.
  std::size_t equal_bytes(std::string_view source, std::string_view rest);
  bool has_different_names();
  bool has_shape(std::string_view source, std::string_view rest);
  void learn_shape();

  std::vector<Attribute> source_;
  std::vector<std::size_t> order_;  ///< of the target's attributes, which of source_ each is
  std::vector<std::string_view> names_;
  std::size_t last_ = 0;               ///< the attribute of source_ that was found last
  std::deque<std::string> unescaped_;  ///< what names may view
  Shape shape_;
  std::vector<std::string_view> values_;  ///< of the source's item that is held against the shape
};

}  // namespace messina::item
