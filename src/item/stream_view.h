// What a stream's records say of an item beside its key.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace messina::item {

/// DynamoDB's StreamViewType (API reference, "StreamSpecification").
enum class StreamView : std::uint8_t { keys_only, new_image, old_image, new_and_old_images };

constexpr bool has_new_image(StreamView view) {
  return view == StreamView::new_image || view == StreamView::new_and_old_images;
}

/// "NEW_IMAGE"
constexpr std::string_view text_of(StreamView view) {
  switch (view) {
    case StreamView::keys_only:
      return "KEYS_ONLY";
    case StreamView::new_image:
      return "NEW_IMAGE";
    case StreamView::old_image:
      return "OLD_IMAGE";
    case StreamView::new_and_old_images:
      return "NEW_AND_OLD_IMAGES";
  }
  return {};
}

/// The inverse.
constexpr std::optional<StreamView> stream_view(std::string_view text) {
  for (const StreamView view : {StreamView::keys_only, StreamView::new_image, StreamView::old_image,
                                StreamView::new_and_old_images}) {
    if (text == text_of(view)) return view;
  }
  return std::nullopt;
}

}  // namespace messina::item
