#include "service/app/enum_names.h"

#include "proto/kms_names.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark::app {
namespace {

TEST(EnumNamesTest, RulesAndSchemaSpellSpecsAndAlgorithmsAlike) {
  for (const KeySpecRow& row : kKeySpecs) {
    EXPECT_EQ(proto::KmsName(*v1::KeySpec_descriptor()->FindValueByNumber(ToProto(row.spec))),
              row.name);
    EXPECT_EQ(
        proto::KmsName(*v1::MacAlgorithm_descriptor()->FindValueByNumber(ToProto(row.algorithm))),
        row.algorithm_name);
    EXPECT_EQ(FromProto(ToProto(row.spec)), row.spec);
    EXPECT_EQ(FromProto(ToProto(row.algorithm)), row.algorithm);
  }
  EXPECT_FALSE(FromProto(v1::KEY_SPEC_RSA_2048));
}

}  // namespace
}  // namespace hallmark::app
