// Tags of principals, on a real store.
#include "service/app/principal_loading.h"
#include "tests/service/app/principal_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace hallmark::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kRole = "arn:aws:iam::111122223333:role/Service";
constexpr const char* kSession = "arn:aws:sts::111122223333:assumed-role/Service/s";

class PrincipalTagsTest : public PrincipalTest {
 protected:
  Status Tag(const std::string& arn, const std::vector<PrincipalTag>& tags) {
    v1::TagPrincipalRequest request;
    request.set_arn(arn);
    for (const PrincipalTag& tag : tags) {
      v1::PrincipalTag* added = request.add_tags();
      added->set_key(tag.key);
      added->set_value(tag.value);
    }
    v1::TagPrincipalResponse response;
    return TagPrincipal(*admin_, request, &response);
  }
  Status Untag(const std::string& arn, const std::vector<std::string>& keys) {
    v1::UntagPrincipalRequest request;
    request.set_arn(arn);
    for (const std::string& key : keys) request.add_tag_keys(key);
    v1::UntagPrincipalResponse response;
    return UntagPrincipal(*admin_, request, &response);
  }
  const std::vector<PrincipalTag>& TagsOf(const std::string& arn) const {
    return principals_.FindByArn(arn)->record.tags;
  }
  // What a policy sees as aws:PrincipalTag/<key>; "-" for nothing.
  std::string Seen(const std::string& arn, const std::string& key) const {
    const auto principal = principals_.FindByArn(arn);
    return std::string(CallerOf(*principal).tags.Find(key).value_or("-"));
  }
};

TEST_F(PrincipalTagsTest, TagsAreAddedReplacedShownAndStored) {
  AddAlice();
  ASSERT_THAT(Tag(kAlice, {{"team", "orders"}, {"stage", ""}}), IsOk());
  ASSERT_THAT(Tag(kAlice, {{"team", "shop"}}), IsOk());
  const std::vector<PrincipalTag> want{{"team", "shop"}, {"stage", ""}};
  EXPECT_EQ(TagsOf(kAlice), want);
  EXPECT_EQ(Seen(kAlice, "team"), "shop");
  ASSERT_THAT(store_->Load()->principals, SizeIs(1));
  EXPECT_EQ(store_->Load()->principals.front().tags, want);

  v1::GetPrincipalRequest request;
  request.set_arn(kAlice);
  v1::GetPrincipalResponse shown;
  ASSERT_THAT(GetPrincipal(*admin_, request, &shown), IsOk());
  ASSERT_THAT(shown.principal().tags(), SizeIs(2));
  EXPECT_EQ(shown.principal().tags(0).key(), "team");
  EXPECT_EQ(shown.principal().tags(0).value(), "shop");
  EXPECT_EQ(shown.principal().tags(1).value(), "");
}

TEST_F(PrincipalTagsTest, ATagThatDiffersInCaseOnlyIsReplaced) {
  AddAlice();
  ASSERT_THAT(Tag(kAlice, {{"Team", "orders"}}), IsOk());
  ASSERT_THAT(Tag(kAlice, {{"team", "shop"}}), IsOk());
  EXPECT_THAT(TagsOf(kAlice), ElementsAre(PrincipalTag{"team", "shop"}));
}

TEST_F(PrincipalTagsTest, TagsAreRemovedWhateverTheCaseAndAbsentOnesAreNoMistake) {
  AddAlice();
  ASSERT_THAT(Tag(kAlice, {{"team", "orders"}, {"stage", "test"}}), IsOk());
  ASSERT_THAT(Untag(kAlice, {"TEAM", "nothing"}), IsOk());
  EXPECT_THAT(TagsOf(kAlice), ElementsAre(PrincipalTag{"stage", "test"}));
  EXPECT_EQ(Seen(kAlice, "team"), "-");
  EXPECT_THAT(Untag(kAlice, {"team"}), IsOk());
}

struct RefusedTags {
  const char* name;
  std::vector<PrincipalTag> tags;
  Exception want;
};
class RefusedTagsTest : public PrincipalTagsTest,
                        public ::testing::WithParamInterface<RefusedTags> {};

TEST_P(RefusedTagsTest, ChangeNothing) {
  AddAlice();
  EXPECT_THAT(Tag(kAlice, GetParam().tags), Raises(GetParam().want));
  EXPECT_THAT(TagsOf(kAlice), IsEmpty());
}

std::vector<PrincipalTag> ManyTags(int count) {
  std::vector<PrincipalTag> tags;
  for (int i = 0; i < count; ++i) tags.push_back({"key" + std::to_string(i), ""});
  return tags;
}

INSTANTIATE_TEST_SUITE_P(
    Tags, RefusedTagsTest,
    ::testing::ValuesIn(std::vector<RefusedTags>{
        {"NoKey", {{"", "v"}}, Exception::kValidationException},
        {"LongKey", {{std::string(129, 'k'), "v"}}, Exception::kValidationException},
        {"LongValue", {{"k", std::string(257, 'v')}}, Exception::kValidationException},
        {"None", {}, Exception::kValidationException},
        {"TooManyInARequest", ManyTags(51), Exception::kValidationException},
        {"Reserved", {{"AWS:k", "v"}}, Exception::kTagException},
        {"Twice", {{"k", "v"}, {"K", "w"}}, Exception::kTagException},
    }),
    [](const auto& row) { return row.param.name; });

TEST_F(PrincipalTagsTest, APrincipalHasFiftyTags) {
  AddAlice();
  ASSERT_THAT(Tag(kAlice, ManyTags(50)), IsOk());
  EXPECT_THAT(Tag(kAlice, {{"one more", ""}}), Raises(Exception::kTagException));
  EXPECT_THAT(TagsOf(kAlice), SizeIs(50));
  EXPECT_THAT(Tag(kAlice, {{"key0", "another value"}}), IsOk());
}

TEST_F(PrincipalTagsTest, NobodyHasNoTags) {
  EXPECT_THAT(Tag(kAlice, {{"k", "v"}}), Raises(Exception::kNotFoundException));
  EXPECT_THAT(Untag(kAlice, {"k"}), Raises(Exception::kNotFoundException));
}

TEST_F(PrincipalTagsTest, ASessionHasItsRolesTagsAndItsOwnInTheirPlace) {
  Add("iam::111122223333:role/Service", 'b');
  Add("sts::111122223333:assumed-role/Service/s", 'c');
  ASSERT_THAT(Tag(kSession, {{"Team", "session's"}}), IsOk());
  ASSERT_THAT(Tag(kRole, {{"team", "role's"}, {"stage", "test"}}), IsOk());
  EXPECT_EQ(Seen(kSession, "team"), "session's");
  EXPECT_EQ(Seen(kSession, "stage"), "test");
  EXPECT_EQ(Seen(kRole, "team"), "role's");
  EXPECT_THAT(TagsOf(kSession), ElementsAre(PrincipalTag{"Team", "session's"}));

  // After a restart, too.
  PrincipalDirectory reloaded;
  ASSERT_THAT(LoadPrincipals(*store_->Load(), reloaded), IsOk());
  const auto session = reloaded.FindByArn(kSession);
  EXPECT_EQ(CallerOf(*session).tags.Find("team"), "session's");
  EXPECT_EQ(CallerOf(*session).tags.Find("stage"), "test");

  ASSERT_THAT(Untag(kSession, {"team"}), IsOk());
  EXPECT_EQ(Seen(kSession, "team"), "role's");
  ASSERT_THAT(Untag(kRole, {"team"}), IsOk());
  EXPECT_EQ(Seen(kSession, "team"), "-");
}

TEST_F(PrincipalTagsTest, OfTwoChangesAtOnceOneIsToldToRepeat) {
  AddAlice();
  const auto before = principals_.FindByArn(kAlice);
  ASSERT_THAT(Tag(kAlice, {{"team", "orders"}}), IsOk());
  principals_.Publish(before);  // what the slower of the two has read
  EXPECT_THAT(Tag(kAlice, {{"stage", "test"}}), Raises(Exception::kConflictException));
  EXPECT_THAT(Tag(kAlice, {{"team", "orders"}}), Raises(Exception::kConflictException));
}

}  // namespace
}  // namespace hallmark::app
