#include "endpoints/batch_get.h"
#include "endpoints/dynamodb_table.h"
#include "endpoints/scan_request.h"
#include "item/lookup_page.h"

namespace messina::endpoints {
namespace {

class TableLookup final : public Lookup {
 public:
  explicit TableLookup(std::shared_ptr<Table> table) : table_(std::move(table)) {}

  std::size_t max_keys() const override { return kMaxLookupKeys; }
  Task<Result<LookupPage>> get(std::span<const std::string_view> keys,
                               item::ExpectedItems* expected) override;
  void recycle(LookupPage page) override { table_->loop.slabs().give_back(std::move(page.bytes)); }

 private:
  std::shared_ptr<Table> table_;
  item::LookupSplitter splitter_;
};

Task<Result<LookupPage>> TableLookup::get(std::span<const std::string_view> keys,
                                          item::ExpectedItems* expected) {
  const auto body = batch_get_request(table_->name, keys, !table_->alternator);
  auto answer = co_await table_->client.call(aws::kBatchGetItem, body);
  if (!answer) co_return fail(answer.error());
  item::LookupSpans spans;
  spans.items.reserve(keys.size());
  const auto split = splitter_.split(answer->body.view(), spans, expected);
  if (!split) {
    table_->loop.slabs().give_back(std::move(answer->body));
    co_return fail(aws::classify_damage(aws::kBatchGetItem, split.error().message, table_->client.display()));
  }
  LookupPage page;
  page.items = std::move(spans.items);
  page.unprocessed_keys = std::move(spans.unprocessed_keys);
  page.cost_rcu = spans.consumed_capacity.value_or(estimated_rcu(answer->body.size()));
  page.sent_at = answer->sent_at;
  page.bytes = std::move(answer->body);
  co_return page;
}

}  // namespace

std::unique_ptr<Lookup> make_lookup(std::shared_ptr<Table> table) {
  return std::make_unique<TableLookup>(std::move(table));
}

}  // namespace messina::endpoints
