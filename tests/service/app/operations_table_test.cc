#include "hallmark/v1/kms.pb.h"
#include "hallmark/v1/options.pb.h"
#include "service/app/operations.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace hallmark::app {
namespace {

TEST(OperationsTableTest, ServesEveryMethodOfTheServiceAndNothingElse) {
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      "hallmark.v1.KeyService");
  ASSERT_NE(service, nullptr);
  std::set<std::string> methods;
  for (int i = 0; i < service->method_count(); ++i) methods.insert(service->method(i)->name());
  std::set<std::string> rows;
  for (const OperationRow& row : Operations()) rows.insert(std::string(Name(row.operation)));
  EXPECT_EQ(rows, methods);
  EXPECT_EQ(Operations().size(), methods.size());
}

TEST(OperationsTableTest, WhatKmsDoesNotHaveIsMarkedInTheSchema) {
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
      "hallmark.v1.KeyService");
  for (const OperationRow& row : Operations()) {
    const auto* method = service->FindMethodByName(std::string(Name(row.operation)));
    EXPECT_EQ(method->options().GetExtension(v1::own), IsOwn(row.operation)) << method->name();
  }
}

TEST(OperationsTableTest, RowsAreFoundByTheirOperation) {
  EXPECT_EQ(Row(Operation::kGenerateMac).lane, Lane::kToken);
  EXPECT_EQ(Row(Operation::kGenerateMac).key_ids, KeyIdForms::kKeyOrAlias);
  EXPECT_EQ(Row(Operation::kCreateKey).lane, Lane::kTokenControl);
  EXPECT_EQ(Row(Operation::kDisableKey).lane, Lane::kControl);
}

}  // namespace
}  // namespace hallmark::app
