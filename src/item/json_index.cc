#include "item/json_index.h"

#include <bit>

#include <simdjson.h>

#include "base/slab.h"

namespace messina::item {
namespace {

static_assert(kSlabPadding >= simdjson::SIMDJSON_PADDING);

bool escapes_are_valid(std::string_view text) {
  const char* const end = text.data() + text.size();
  for (std::size_t at = text.find('\\'); at != std::string_view::npos; at = text.find('\\', at)) {
    const char* const after = skip_json_escape(text.data() + at, end);
    if (after == nullptr) return false;
    at = static_cast<std::size_t>(after - text.data());
  }
  return true;
}

}  // namespace

struct JsonIndex::Stage {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
  std::size_t capacity = 0;

  // Grows in powers of two, so that pages of about the same size do not each grow it a little.
  bool reserve(std::size_t bytes) {
    if (parser && bytes <= capacity) return true;
    const std::size_t wanted = std::bit_ceil(std::max<std::size_t>(bytes, 64 * 1024));
    parser.reset();  // first, so that the old and the new index are never held together
    capacity = 0;
    const auto& implementation = simdjson::get_active_implementation();  // the best for this machine
    if (implementation->create_dom_parser_implementation(wanted, 1, parser) != simdjson::SUCCESS) {
      return false;
    }
    capacity = wanted;
    return true;
  }
};

JsonIndex::JsonIndex() : stage_(std::make_unique<Stage>()) {}
JsonIndex::~JsonIndex() = default;

std::optional<IndexCursor> JsonIndex::index(std::string_view body) {
  if (body.size() > kMaxIndexedPageBytes || !stage_->reserve(body.size())) return std::nullopt;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  auto& parser = *stage_->parser;
  if (parser.stage1(bytes, body.size(), simdjson::stage1_mode::regular) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  if (!escapes_are_valid(body)) return std::nullopt;
  return IndexCursor(body, parser.structural_indexes.get(), parser.n_structural_indexes);
}

}  // namespace messina::item
