#include "service/app/enum_names.h"

#include <gtest/gtest.h>

#include <string>

namespace hallmark::app {
namespace {

TEST(EnumNamesTest, TheSpellingIsTheNameWithoutTheEnumsPrefix) {
  const auto& specs = *v1::KeySpec_descriptor();
  EXPECT_EQ(KmsName(*specs.FindValueByNumber(v1::KEY_SPEC_HMAC_256)), "HMAC_256");
  EXPECT_EQ(FindByKmsName(specs, "HMAC_256")->number(), v1::KEY_SPEC_HMAC_256);
  EXPECT_EQ(FindByKmsName(specs, "UNSPECIFIED"), nullptr);
  EXPECT_EQ(FindByKmsName(specs, "KEY_SPEC_HMAC_256"), nullptr);
  EXPECT_EQ(FindByKmsName(specs, "hmac_256"), nullptr);
}

TEST(EnumNamesTest, StatesAreSpelledAsInKeyMetadata) {
  const auto& states = *v1::KeyState_descriptor();
  EXPECT_EQ(KmsNames(states), "[Enabled, Disabled, PendingDeletion, PendingImport]");
}

TEST(EnumNamesTest, RulesAndSchemaSpellSpecsAndAlgorithmsAlike) {
  for (const KeySpecRow& row : kKeySpecs) {
    EXPECT_EQ(KmsName(*v1::KeySpec_descriptor()->FindValueByNumber(ToProto(row.spec))), row.name);
    EXPECT_EQ(KmsName(*v1::MacAlgorithm_descriptor()->FindValueByNumber(ToProto(row.algorithm))),
              row.algorithm_name);
    EXPECT_EQ(FromProto(ToProto(row.spec)), row.spec);
    EXPECT_EQ(FromProto(ToProto(row.algorithm)), row.algorithm);
  }
  EXPECT_FALSE(FromProto(v1::KEY_SPEC_RSA_2048));
}

}  // namespace
}  // namespace hallmark::app
