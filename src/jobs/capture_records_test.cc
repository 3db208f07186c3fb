#include "jobs/capture_records.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace messina::jobs {
namespace {

using state::ChangeKind;

const item::KeySchema kSchema{{"pk", item::Type::S}, item::KeyAttribute{"sk", item::Type::N}};

item::StreamRecord record() {
  item::StreamRecord record;
  record.keys = R"({"pk":{"S":"a"},"sk":{"N":"1"}})";
  record.new_image = R"({"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"new"}})";
  record.old_image = R"({"pk":{"S":"a"},"sk":{"N":"1"},"v":{"S":"old"}})";
  record.sequence_number = "000000000000000000042";
  record.created_unix_s = 1'700'000'000;
  return record;
}

state::SpoolPut read(const item::StreamRecord& record, const RecordRules& rules) {
  state::SpoolPut put;
  const auto taken = RecordReader(kSchema, rules).read(record, 77, put);
  EXPECT_TRUE(taken && *taken == RecordReader::Taken::put);
  return put;
}

TEST(CaptureRecords, AnImageInOrderIsTakenOver) {
  const auto put = read(record(), {});
  EXPECT_EQ(put.kind, ChangeKind::image);
  EXPECT_EQ(put.key, record().keys);
  EXPECT_EQ(put.image, record().new_image);
  EXPECT_EQ(put.token.digits(), "42");
  EXPECT_EQ(put.changed_unix_ms, 1'700'000'000'000);
}

TEST(CaptureRecords, ARemovalNeedsNoImage) {
  item::StreamRecord removed = record();
  removed.removed = true;
  removed.new_image = {};
  removed.created_unix_s.reset();
  const auto put = read(removed, {});
  EXPECT_EQ(put.kind, ChangeKind::removal);
  EXPECT_EQ(put.image, "");
  EXPECT_EQ(put.changed_unix_ms, 77);
}

TEST(CaptureRecords, WithoutOrderOrNewImageARecordIsAMark) {
  EXPECT_EQ(read(record(), {.images = false}).kind, ChangeKind::reread);
  item::StreamRecord old = record();
  old.new_image = {};
  EXPECT_EQ(read(old, {}).kind, ChangeKind::reread);
  EXPECT_EQ(read(old, {}).image, "");
  item::StreamRecord removed = record();
  removed.removed = true;
  EXPECT_EQ(read(removed, {.images = false}).kind, ChangeKind::reread);
  item::StreamRecord endless = record();
  endless.sequence_number = "12345678901234567890123456789012345678901";
  EXPECT_EQ(read(endless, {}).kind, ChangeKind::reread);
  const std::string large(state::kMaxSpoolImageBytes + 1, ' ');
  item::StreamRecord too_large = record();
  too_large.new_image = large;
  EXPECT_EQ(read(too_large, {}).kind, ChangeKind::reread);
}

TEST(CaptureRecords, DeletesByTtlAreLeftOutByChoice) {
  item::StreamRecord expired = record();
  expired.removed = true;
  expired.by_service = true;
  EXPECT_EQ(read(expired, {}).kind, ChangeKind::removal);
  state::SpoolPut put;
  const auto taken = RecordReader(kSchema, {.carry_expired = false}).read(expired, 0, put);
  ASSERT_TRUE(taken);
  EXPECT_EQ(*taken, RecordReader::Taken::expired);
  // A person's delete is none of them, nor is a write by the service.
  expired.by_service = false;
  EXPECT_EQ(RecordReader(kSchema, {.carry_expired = false}).read(expired, 0, put), RecordReader::Taken::put);
}

TEST(CaptureRecords, WhatHistoryContainsIsLeftOut) {
  const auto taken = [](std::optional<std::int64_t> created_s) {
    item::StreamRecord old = record();
    old.created_unix_s = created_s;
    state::SpoolPut put;
    return *RecordReader(kSchema, {.history_from_unix_ms = 1'700'000'000'500}).read(old, 0, put);
  };
  EXPECT_EQ(taken(1'699'999'999), RecordReader::Taken::older);
  EXPECT_EQ(taken(1'700'000'000), RecordReader::Taken::put);
  EXPECT_EQ(taken(std::nullopt), RecordReader::Taken::put);
}

TEST(CaptureRecords, KeysOfAnotherSchemaAreAnError) {
  item::StreamRecord foreign = record();
  state::SpoolPut put;
  for (const std::string_view keys :
       {R"({"pk":{"S":"a"}})", R"({"pk":{"N":"1"},"sk":{"N":"1"}})", R"({"id":{"S":"a"}})"}) {
    foreign.keys = keys;
    EXPECT_FALSE(RecordReader(kSchema, {}).read(foreign, 0, put)) << keys;
  }
}

TEST(CaptureRecords, EqualKeysHaveEqualText) {
  const RecordReader reader(kSchema, {});
  const std::string_view canonical = R"({"pk":{"S":"a/b"},"sk":{"N":"1000"}})";
  for (const std::string_view raw :
       {canonical, std::string_view(R"({"sk":{"N":"1000"},"pk":{"S":"a/b"}})"),
        std::string_view(R"({"pk":{"S":"a\/b"},"sk":{"N":"1000"}})"),
        std::string_view(R"( {"pk" : {"S":"\u0061/b"}, "sk":{"N" : "1000" }} )")}) {
    const auto key = reader.key(raw);
    ASSERT_TRUE(key) << raw;
    EXPECT_EQ(*key, canonical);
  }
}

TEST(CaptureRecords, ARemovalNamesItsKeyAsTheSourceWroteIt) {
  const RecordReader reader(kSchema, {});
  for (const std::string_view number : {"1e3", "1E+3", "1000.0", "+1000", "-0", "01"}) {
    item::StreamRecord record;
    const std::string keys = fmt::format(R"({{"sk":{{"N":"{}"}},"pk":{{"S":"a"}}}})", number);
    record.keys = keys;
    record.removed = true;
    record.sequence_number = "100000000000000000001";
    state::SpoolPut put;
    ASSERT_TRUE(reader.read(record, 0, put)) << number;
    EXPECT_EQ(put.kind, state::ChangeKind::removal);
    EXPECT_EQ(put.key, fmt::format(R"({{"pk":{{"S":"a"}},"sk":{{"N":"{}"}}}})", number));
  }
}

}  // namespace
}  // namespace messina::jobs
