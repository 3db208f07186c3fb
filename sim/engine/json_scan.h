// Walks JSON text without building a tree: the simulator keeps items as text, and must accept what ScyllaDB
// accepts (duplicate names, invalid UTF-8), which common parsers refuse. A grammar of its own beside that of
// src/item, on purpose: a simulator that read JSON by the client's code would take the client's mistakes for
// right.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace messina::sim {

struct ScanRules {
  int max_depth = 0;          ///< levels of objects and arrays; 0: no limit but the walker's own (10,000)
  bool require_utf8 = false;  ///< refuse text that is not UTF-8
};

/// What is wrong with the text.
enum class ScanError { empty, syntax, too_deep, not_utf8 };

/// Checks that `text` is one JSON value and nothing else.
std::optional<ScanError> check_json(std::string_view text, const ScanRules& rules);

/// A member of an object: the name with its escapes resolved, and the value's text without surrounding space.
struct Member {
  std::string name;
  std::string_view value;
};

/// The members of a checked object in text order, duplicates included. Empty if `text` is no object.
std::vector<Member> members_of(std::string_view text);
/// The first member of that name of a checked object; nullopt if there is none. What is behind it is not
/// read.
std::optional<std::string_view> member_of(std::string_view text, std::string_view name);
/// The elements of a checked array. Empty if `text` is no array.
std::vector<std::string_view> elements_of(std::string_view text);
/// The value of a checked JSON string; nullopt if `text` is something else.
std::optional<std::string> string_of(std::string_view text);

/// Appends a checked JSON value without white space and with strings escaped as little as JSON allows.
void append_compact(std::string& out, std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace messina::sim
