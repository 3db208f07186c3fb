#include "jobs/difference_text.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"

namespace messina::jobs {

namespace {

namespace json = boost::json;
using Kind = item::Difference::Kind;

constexpr std::pair<Kind, std::string_view> kKinds[] = {
    {Kind::missing, "missing"}, {Kind::extra, "extra"}, {Kind::type, "type"}, {Kind::value, "value"}};

/// Attributes that are named in a cause.
constexpr std::size_t kMostNamed = 3;

std::string_view order_text(std::partial_ordering order) {
  if (order == std::partial_ordering::less) return "less";
  return order == std::partial_ordering::greater ? "greater" : "";
}

/// lines[2].price → lines[].price
std::string without_positions(std::string_view path) {
  std::string out;
  bool inside = false, quoted = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    const bool escaped = quoted && c == '\\';
    if (c == '"') quoted = !quoted;
    if (!quoted && c == ']') inside = false;
    if (!inside) out += c;
    if (!quoted && c == '[') inside = true;
    if (escaped && i + 1 < path.size()) out += path[++i];
  }
  return out;
}

/// Whether more of it means later, as far as a name tells.
bool tells_time(std::string_view path) {
  std::string name(path.substr(path.rfind('.') + 1));
  if (name.ends_with("At")) return true;
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name.ends_with("_at") || name.ends_with("-at") || name.contains("time") || name.contains("date") ||
         name.contains("version") || name.contains("modified") || name == "ts";
}

std::string text_of_one(const std::string& path, const item::Difference& place) {
  switch (place.kind) {
    case Kind::missing:
      return fmt::format("`{}` missing on target", path);
    case Kind::extra:
      return fmt::format("`{}` only on target", path);
    case Kind::type:
      return fmt::format("`{}` of another type on target", path);
    case Kind::value:
      break;
  }
  const bool less = place.target_is == std::partial_ordering::less;
  if (!less && place.target_is != std::partial_ordering::greater) return fmt::format("`{}` differs", path);
  if (tells_time(path)) return fmt::format("`{}` {} on target", path, less ? "older" : "newer");
  return fmt::format("`{}` {} on target", path, less ? "smaller" : "greater");
}

}  // namespace

std::string to_json(const std::vector<item::Difference>& places) {
  json::array list;
  for (const item::Difference& place : places) {
    json::object& out = list.emplace_back(json::object{}).get_object();
    out["path"] = log::valid_utf8(place.path);
    for (const auto& [kind, name] : kKinds)
      if (kind == place.kind) out["kind"] = json::string(name);
    if (const std::string_view order = order_text(place.target_is); !order.empty())
      out["target"] = json::string(order);
  }
  return json::serialize(list);
}

Result<std::vector<item::Difference>> places_of(std::string_view text) {
  const auto damaged = [] { return fail(ErrorKind::corrupt, "the places of a difference are damaged"); };
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  const json::array* list = error ? nullptr : value.if_array();
  if (list == nullptr) return damaged();
  std::vector<item::Difference> places;
  for (const json::value& each : *list) {
    const json::object* object = each.if_object();
    const json::value* path = object != nullptr ? object->if_contains("path") : nullptr;
    const json::value* kind = object != nullptr ? object->if_contains("kind") : nullptr;
    if (path == nullptr || kind == nullptr || !path->is_string() || !kind->is_string()) return damaged();
    item::Difference& place = places.emplace_back();
    place.path = std::string(path->get_string());
    for (const auto& [known, name] : kKinds)
      if (name == std::string_view(kind->get_string())) place.kind = known;
    if (const json::value* order = object->if_contains("target"); order != nullptr && order->is_string())
      place.target_is =
          order->get_string() == "less" ? std::partial_ordering::less : std::partial_ordering::greater;
  }
  return places;
}

std::string cause_of(state::Verdict verdict, const std::vector<item::Difference>& places) {
  if (verdict == state::Verdict::missing) return "only on source";
  if (verdict == state::Verdict::extra) return "only on target";
  if (verdict != state::Verdict::differs) return {};
  std::set<std::string> paths;
  for (const item::Difference& place : places) paths.insert(without_positions(place.path));
  if (paths.empty() || paths.contains("")) return "the item differs as a whole";
  if (paths.size() == 1) {
    const item::Difference& first = places.front();
    const bool alike = std::ranges::all_of(places, [&](const item::Difference& place) {
      return place.kind == first.kind && place.target_is == first.target_is;
    });
    return alike ? text_of_one(*paths.begin(), first) : fmt::format("`{}` differs", *paths.begin());
  }
  if (places.size() >= kMostPlaces) return fmt::format("{} places or more differ", kMostPlaces);
  if (paths.size() > kMostNamed) return fmt::format("{} attributes differ", paths.size());
  return fmt::format("`{}` differ", fmt::join(paths, "`, `"));
}

}  // namespace messina::jobs
