#include "endpoints/dynamodb_table.h"

#include "base/log.h"
#include "endpoints/table_json.h"

namespace messina::endpoints {

Result<void> Table::split_page(std::string_view text, std::string_view start_key) {
  auto split = splitter.split(text, spans);
  if (!split) return split;
  // A list that something on the way has cut would lose items silently.
  if (spans.count && *spans.count != spans.items.size()) {
    return fail(ErrorKind::corrupt,
                fmt::format("it counts {} items and holds {}", *spans.count, spans.items.size()));
  }
  // Going on from there would read the same page for ever.
  if (!start_key.empty() && spans.last_evaluated_key == start_key) {
    return fail(ErrorKind::corrupt, "it ends where it began, and says that there is more");
  }
  return split;
}

Task<Result<TableDescription>> Table::describe_table() {
  auto body = table_request(name);
  auto description = co_await ask(aws::kDescribeTable, std::move(body), parse_describe_table);
  if (description) key = description->key;
  co_return description;
}

}  // namespace messina::endpoints
