#include "item/transform.h"

#include <vector>

#include <fmt/format.h>

#include "base/json_text.h"
#include "item/json_cursor.h"

namespace messina::item {
namespace {

bool is_key(std::string_view name, const KeySchema& schema) {
  return name == schema.partition.name || (schema.sort && name == schema.sort->name);
}

// Writes the members of one item.
class Transformer {
 public:
  Transformer(const TransformRules& rules, std::string& out)
      : drops_(rules.drops), out_(out), start_(out.size()) {
    renames_.reserve(rules.renames.size());
    for (const auto& [from, to] : rules.renames) renames_.push_back({from, to});
  }

  Result<void> run(std::string_view raw) {
    auto done = write(raw);
    if (!done) out_.resize(start_);
    return done;
  }

 private:
  struct Rename {
    std::string_view from, to;
    bool has_old = false;  // the item has an attribute `from`
    bool has_new = false;  // and another one that is called `to` already
  };

  Result<void> write(std::string_view raw) {
    ByteCursor cursor(raw);
    const bool whole = walk_object(cursor, [&](std::string_view name) {
      const char* const first = cursor.position();
      if (!skip_value(cursor, 1)) return false;
      member(name, {first, static_cast<std::size_t>(cursor.last_end() - first)});
      return true;
    });
    if (!whole || !cursor.at_end()) return fail(ErrorKind::refused, "the item is not JSON");
    out_ += out_.size() == start_ ? "{}" : "}";
    for (const Rename& rename : renames_) {
      if (rename.has_old && rename.has_new) {
        return fail(ErrorKind::refused, fmt::format("attribute {} cannot be renamed to {}: the item has both",
                                                    json_string(rename.from), json_string(rename.to)));
      }
    }
    return {};
  }

  void member(std::string_view raw_name, std::string_view value) {
    std::string_view name = raw_name;
    if (raw_name.contains('\\')) {
      unescaped_.clear();
      unescape_json(raw_name, unescaped_);
      name = unescaped_;
    }
    if (drops_.contains(name)) return;
    out_ += out_.size() == start_ ? '{' : ',';
    if (Rename* const rename = renaming(name)) {
      rename->has_old = true;
      append_json_string(out_, rename->to);
    } else {
      for (Rename& other : renames_) other.has_new |= other.to == name;
      out_.append(1, '"').append(raw_name).append(1, '"');
    }
    out_.append(1, ':').append(value);
  }

  Rename* renaming(std::string_view name) {
    for (Rename& rename : renames_) {
      if (rename.from == name) return &rename;
    }
    return nullptr;
  }

  const std::set<std::string, std::less<>>& drops_;
  std::vector<Rename> renames_;
  std::string& out_;
  std::size_t start_;
  std::string unescaped_;
};

}  // namespace

Result<void> check_rules(const TransformRules& rules, const KeySchema& schema) {
  for (const std::string& name : rules.drops) {
    if (is_key(name, schema)) {
      return fail(
          ErrorKind::config,
          fmt::format("attribute {} cannot be dropped: it belongs to the table's key", json_string(name)));
    }
  }
  std::set<std::string_view> new_names;
  for (const auto& [from, to] : rules.renames) {
    if (to.empty()) {
      return fail(ErrorKind::config,
                  fmt::format("attribute {} cannot be renamed to an empty name", json_string(from)));
    }
    if (rules.drops.contains(from)) {
      return fail(ErrorKind::config,
                  fmt::format("attribute {} is both renamed and dropped: choose one", json_string(from)));
    }
    if (!new_names.insert(to).second) {
      return fail(ErrorKind::config,
                  fmt::format("two attributes are renamed to {}: choose another name for one of them",
                              json_string(to)));
    }
    // Every item has its key attributes, so no item could take the new name.
    if (from != to && is_key(to, schema) && !rules.renames.contains(to)) {
      return fail(
          ErrorKind::config,
          fmt::format("attribute {} cannot be renamed to {}: the table's key has an attribute of that name",
                      json_string(from), json_string(to)));
    }
  }
  return {};
}

KeySchema transform_schema(const KeySchema& schema, const TransformRules& rules) {
  KeySchema out = schema;
  const auto rename = [&](KeyAttribute& attribute) {
    const auto found = rules.renames.find(attribute.name);
    if (found != rules.renames.end()) attribute.name = found->second;
  };
  rename(out.partition);
  if (out.sort) rename(*out.sort);
  return out;
}

Result<void> transform_item(std::string_view raw, const TransformRules& rules, std::string& out) {
  return Transformer(rules, out).run(raw);
}

}  // namespace messina::item
