#include "proto/kms_names.h"

#include "hallmark/v1/kms.pb.h"

#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace hallmark::proto {
namespace {

TEST(KmsNamesTest, TheSpellingIsTheNameWithoutTheEnumsPrefix) {
  const auto& specs = *v1::KeySpec_descriptor();
  EXPECT_EQ(KmsName(*specs.FindValueByNumber(v1::KEY_SPEC_HMAC_256)), "HMAC_256");
  EXPECT_EQ(FindByKmsName(specs, "HMAC_256")->number(), v1::KEY_SPEC_HMAC_256);
  EXPECT_EQ(FindByKmsName(specs, "UNSPECIFIED"), nullptr);
  EXPECT_EQ(FindByKmsName(specs, "KEY_SPEC_HMAC_256"), nullptr);
  EXPECT_EQ(FindByKmsName(specs, "hmac_256"), nullptr);
}

TEST(KmsNamesTest, StatesAreSpelledAsInKeyMetadata) {
  const auto& states = *v1::KeyState_descriptor();
  EXPECT_EQ(KmsNames(states), "[Enabled, Disabled, PendingDeletion, PendingImport]");
}

using google::protobuf::FieldDescriptor;

const FieldDescriptor& FieldOf(const google::protobuf::Message& message, const char* name) {
  return *message.GetDescriptor()->FindFieldByName(name);
}

TEST(UnknownNameTest, AFieldHasTheTextThatWasKeptForIt) {
  v1::CreateKeyRequest request;
  const FieldDescriptor& spec = FieldOf(request, "key_spec");
  const FieldDescriptor& usage = FieldOf(request, "key_usage");
  KeepUnknownName("HMAC_1024", spec, &request);
  KeepUnknownName("", usage, &request);
  EXPECT_EQ(UnknownName(request, spec, request.key_spec()), "HMAC_1024");
  EXPECT_EQ(UnknownName(request, usage, request.key_usage()), "");
  EXPECT_FALSE(v1::KeySpec_IsValid(request.key_spec()));
  EXPECT_FALSE(UnknownName(request, spec, request.key_usage())) << "a text of another field";
  EXPECT_FALSE(UnknownName(request, spec, v1::KEY_SPEC_HMAC_256));
  EXPECT_FALSE(UnknownName(request, spec, std::numeric_limits<int>::max()));
}

TEST(UnknownNameTest, EveryItemOfAListHasItsOwn) {
  v1::CreateGrantRequest request;
  const FieldDescriptor& operations = FieldOf(request, "operations");
  KeepUnknownName("First", operations, &request);
  request.add_operations(v1::GRANT_OPERATION_GENERATE_MAC);
  KeepUnknownName("Third", operations, &request);
  ASSERT_EQ(request.operations_size(), 3);
  EXPECT_EQ(UnknownName(request, operations, request.operations(0)), "First");
  EXPECT_EQ(UnknownName(request, operations, request.operations(2)), "Third");
}

// A caller of gRPC could send anything as a number, and anything as an unknown field.
TEST(UnknownNameTest, NothingOffTheWireIsTakenForOne) {
  v1::CreateKeyRequest sent;
  const FieldDescriptor& spec = FieldOf(sent, "key_spec");
  sent.set_key_spec(static_cast<v1::KeySpec>(std::numeric_limits<int>::min()));
  sent.GetReflection()->MutableUnknownFields(&sent)->AddLengthDelimited(spec.number(), "\xff");
  v1::CreateKeyRequest received;
  ASSERT_TRUE(received.ParseFromString(sent.SerializeAsString()));
  ASSERT_EQ(received.GetReflection()->GetUnknownFields(received).field_count(), 1);
  EXPECT_FALSE(UnknownName(received, spec, received.key_spec()));

  v1::CreateKeyRequest kept;
  KeepUnknownName("HMAC_1024", spec, &kept);
  ASSERT_TRUE(received.ParseFromString(kept.SerializeAsString()));
  EXPECT_FALSE(UnknownName(received, spec, received.key_spec()));
}

}  // namespace
}  // namespace hallmark::proto
