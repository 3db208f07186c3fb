// What the capabilities of one table of DynamoDB or Alternator share. Internal to the room.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "aws/dynamodb_client.h"
#include "endpoints/endpoint.h"
#include "item/key.h"
#include "item/page.h"
#include "net/event_loop.h"

namespace messina::endpoints {

/// Belongs to the loop.
struct Table {
  Table(net::EventLoop& event_loop, std::shared_ptr<aws::NodePools> nodes, aws::DynamoDbClientOptions options,
        TableName table_name, std::shared_ptr<std::atomic<std::size_t>> batch_items)
      : loop(event_loop),
        name(std::move(table_name)),
        alternator(options.alternator),
        client(event_loop, std::move(nodes), std::move(options)),
        max_batch_items(std::move(batch_items)) {}

  /// Finds a Scan's items in `text`: into `spans`. Errors: corrupt.
  Result<void> split_page(std::string_view text, std::string_view start_key);
  /// DescribeTable alone; remembers the key schema.
  Task<Result<TableDescription>> describe_table();
  /// One call whose answer is text for `parse`.
  template <class Parse>
  auto ask(aws::Operation operation, std::string body, Parse parse)
      -> Task<decltype(parse(std::string_view()))>;

  net::EventLoop& loop;
  const TableName name;
  const bool alternator;
  aws::DynamoDbClient client;
  bool consistent_reads = true;
  item::PageSplitter splitter;
  item::PageSpans spans;
  std::optional<item::KeySchema> key;
  std::shared_ptr<std::atomic<std::size_t>> max_batch_items;
};

template <class Parse>
auto Table::ask(aws::Operation operation, std::string body, Parse parse)
    -> Task<decltype(parse(std::string_view()))> {
  auto answer = co_await client.call(operation, body);
  if (!answer) co_return fail(answer.error());
  auto result = parse(answer->body.view());
  loop.slabs().give_back(std::move(answer->body));
  if (!result) co_return fail(aws::classify_damage(operation, result.error().message, client.display()));
  co_return result;
}

std::unique_ptr<Writable> make_writable(std::shared_ptr<Table> table);
std::unique_ptr<Lookup> make_lookup(std::shared_ptr<Table> table);

}  // namespace messina::endpoints
