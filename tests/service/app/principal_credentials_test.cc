// Principals and their credentials, on a real store.
#include "tests/service/app/principal_fixture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace hallmark::app {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

class PrincipalCredentialsTest : public PrincipalTest {
 protected:
  Status RotateAlice(char digit, bool keep_old, v1::RotatePrincipalResponse* response) {
    v1::RotatePrincipalRequest request;
    request.set_arn(kAlice);
    request.set_certificate_fingerprint(Fingerprint(digit));
    request.set_keep_old(keep_old);
    return RotatePrincipal(*admin_, request, response);
  }
};

TEST_F(PrincipalCredentialsTest, RotationEndsTheOldCredentialsAndKeepsThePrincipal) {
  const v1::AddPrincipalResponse added = AddAlice();
  v1::RotatePrincipalResponse rotated;
  ASSERT_THAT(RotateAlice('b', false, &rotated), IsOk());
  EXPECT_FALSE(IsKnown('a'));
  EXPECT_TRUE(IsKnown('b'));
  EXPECT_EQ(rotated.principal().unique_id(), added.principal().unique_id());
  EXPECT_EQ(rotated.principal().policy(), kPolicy);
  EXPECT_THAT(rotated.principal().certificate_fingerprints(), ElementsAre(Fingerprint('b')));
  EXPECT_THAT(rotated.principal().access_key_ids(), ElementsAre(rotated.access_key_id()));
  EXPECT_NE(rotated.access_key_id(), added.access_key_id());
}

TEST_F(PrincipalCredentialsTest, AKeyThatNoSecretCanBeShownToChangesNothing) {
  AddAlice();
  v1::RotatePrincipalRequest request;
  request.set_arn(kAlice);
  request.set_certificate_fingerprint(Fingerprint('b'));
  request.set_recipient_public_key("no key");
  v1::RotatePrincipalResponse rotated;
  EXPECT_THAT(RotatePrincipal(*admin_, request, &rotated), Raises(Exception::kValidationException));
  EXPECT_TRUE(IsKnown('a'));
  EXPECT_FALSE(IsKnown('b'));
}

TEST_F(PrincipalCredentialsTest, RotationIsDurable) {
  AddAlice();
  v1::RotatePrincipalResponse rotated;
  ASSERT_THAT(RotateAlice('b', false, &rotated), IsOk());
  const auto image = store_->Load();
  ASSERT_THAT(image, IsOk());
  ASSERT_THAT(image->certificates, SizeIs(1));
  EXPECT_EQ(ToHex(image->certificates[0].fingerprint), Fingerprint('b'));
  ASSERT_THAT(image->access_keys, SizeIs(1));
  EXPECT_EQ(image->access_keys[0].access_key_id, rotated.access_key_id());
}

TEST_F(PrincipalCredentialsTest, OldCredentialsThatAreKeptEndWithTheNextRotation) {
  const v1::AddPrincipalResponse added = AddAlice();
  v1::RotatePrincipalResponse kept;
  ASSERT_THAT(RotateAlice('b', true, &kept), IsOk());
  EXPECT_TRUE(IsKnown('a'));
  EXPECT_TRUE(IsKnown('b'));
  EXPECT_THAT(kept.principal().access_key_ids(),
              UnorderedElementsAre(added.access_key_id(), kept.access_key_id()));

  v1::RotatePrincipalResponse rotated;
  ASSERT_THAT(RotateAlice('c', false, &rotated), IsOk());
  EXPECT_FALSE(IsKnown('a'));
  EXPECT_FALSE(IsKnown('b'));
  EXPECT_TRUE(IsKnown('c'));
}

TEST_F(PrincipalCredentialsTest, WhoComesByASpiffeIdAloneGoesOnSo) {
  v1::AddPrincipalRequest add;
  add.set_arn(kAlice);
  add.set_spiffe_id("spiffe://example.org/alice");
  v1::AddPrincipalResponse added;
  ASSERT_THAT(AddPrincipal(*admin_, add, &added), IsOk());
  v1::RotatePrincipalRequest rotate;
  rotate.set_arn(kAlice);
  v1::RotatePrincipalResponse rotated;
  ASSERT_THAT(RotatePrincipal(*admin_, rotate, &rotated), IsOk());
  EXPECT_NE(rotated.access_key_id(), added.access_key_id());
  const auto alice = principals_.FindByArn(kAlice);
  EXPECT_TRUE(alice->certificates.empty());
  EXPECT_EQ(alice->access_keys.size(), 1U);
  EXPECT_EQ(principals_.FindBySpiffeId("spiffe://example.org/alice"), alice);
}

TEST_F(PrincipalCredentialsTest, NoCertificateEndsWithoutAnotherInItsPlace) {
  v1::AddPrincipalRequest add;
  add.set_arn(kAlice);
  add.set_spiffe_id("spiffe://example.org/alice");
  add.set_certificate_fingerprint(Fingerprint('a'));
  v1::AddPrincipalResponse added;
  ASSERT_THAT(AddPrincipal(*admin_, add, &added), IsOk());
  v1::RotatePrincipalRequest rotate;
  rotate.set_arn(kAlice);
  v1::RotatePrincipalResponse rotated;
  EXPECT_THAT(RotatePrincipal(*admin_, rotate, &rotated), Raises(Exception::kValidationException));
  rotate.set_keep_old(true);
  EXPECT_THAT(RotatePrincipal(*admin_, rotate, &rotated), IsOk());
  EXPECT_EQ(principals_.FindByArn(kAlice)->certificates.size(), 1U);
}

TEST_F(PrincipalCredentialsTest, WithoutASpiffeIdACertificateIsNeeded) {
  AddAlice();
  v1::RotatePrincipalRequest rotate;
  rotate.set_arn(kAlice);
  v1::RotatePrincipalResponse rotated;
  EXPECT_THAT(RotatePrincipal(*admin_, rotate, &rotated), Raises(Exception::kValidationException));
}

TEST_F(PrincipalCredentialsTest, APrincipalThatDoesNotExistHasNothingToRotate) {
  v1::RotatePrincipalResponse response;
  EXPECT_THAT(RotateAlice('b', false, &response), Raises(Exception::kNotFoundException));
  EXPECT_THAT(store_->Load()->certificates, IsEmpty());
}

TEST_F(PrincipalCredentialsTest, ACertificateThatIsInUseIsNoNewOne) {
  AddAlice();
  v1::RotatePrincipalResponse response;
  EXPECT_THAT(RotateAlice('a', false, &response), Raises(Exception::kAlreadyExistsException));
  EXPECT_TRUE(IsKnown('a'));
}

TEST_F(PrincipalCredentialsTest, OfTwoRotationsAtOnceOneIsToldToRepeat) {
  AddAlice();
  const auto before = principals_.FindByArn(kAlice);
  v1::RotatePrincipalResponse response;
  ASSERT_THAT(RotateAlice('b', false, &response), IsOk());
  principals_.Publish(before);  // what the slower of the two has read
  EXPECT_THAT(RotateAlice('c', false, &response), Raises(Exception::kConflictException));
}

TEST_F(PrincipalCredentialsTest, APrincipalCanBeRemovedAfterARotation) {
  AddAlice();
  v1::RotatePrincipalResponse rotated;
  ASSERT_THAT(RotateAlice('b', true, &rotated), IsOk());
  v1::RemovePrincipalRequest request;
  request.set_arn(kAlice);
  v1::RemovePrincipalResponse response;
  EXPECT_THAT(RemovePrincipal(*admin_, request, &response), IsOk());
  EXPECT_FALSE(IsKnown('a'));
  EXPECT_FALSE(IsKnown('b'));
  EXPECT_THAT(store_->Load()->certificates, IsEmpty());
  EXPECT_THAT(store_->Load()->access_keys, IsEmpty());
}

TEST_F(PrincipalCredentialsTest, UniqueIdsSayWhatKindOfPrincipalItIs) {
  EXPECT_THAT(AddAlice().principal().unique_id(), MatchesRegex("AIDAhm[A-Z2-7]{16}"));
  const std::string role = Add("iam::111122223333:role/path/Service", 'b').principal().unique_id();
  EXPECT_THAT(role, MatchesRegex("AROAhm[A-Z2-7]{16}"));
  EXPECT_EQ(Add("sts::111122223333:assumed-role/Service/s", 'c').principal().unique_id(),
            role + ":s");
}

TEST_F(PrincipalCredentialsTest, ASessionNeedsItsRoleAndEndsWithIt) {
  v1::AddPrincipalRequest session;
  session.set_arn("arn:aws:sts::111122223333:assumed-role/Service/s");
  session.set_certificate_fingerprint(Fingerprint('c'));
  v1::AddPrincipalResponse response;
  EXPECT_THAT(AddPrincipal(*admin_, session, &response), Raises(Exception::kNotFoundException));

  const std::string role = Add("iam::111122223333:role/Service", 'b').principal().unique_id();
  ASSERT_THAT(AddPrincipal(*admin_, session, &response), IsOk());
  EXPECT_EQ(principals_.FindByArn(session.arn())->record.role_id, role);
  v1::RemovePrincipalRequest remove;
  remove.set_arn("arn:aws:iam::111122223333:role/Service");
  v1::RemovePrincipalResponse removed;
  ASSERT_THAT(RemovePrincipal(*admin_, remove, &removed), IsOk());
  EXPECT_FALSE(IsKnown('b'));
  EXPECT_FALSE(IsKnown('c'));
  const auto image = store_->Load();
  ASSERT_THAT(image, IsOk());
  EXPECT_THAT(image->principals, SizeIs(0));
  EXPECT_THAT(image->certificates, SizeIs(0));
  EXPECT_THAT(image->access_keys, SizeIs(0));
}

TEST_F(PrincipalCredentialsTest, AnAccountHasOneRoleOfAName) {
  Add("iam::111122223333:role/a/Service", 'b');
  v1::AddPrincipalRequest request;
  request.set_arn("arn:aws:iam::111122223333:role/b/Service");
  request.set_certificate_fingerprint(Fingerprint('c'));
  v1::AddPrincipalResponse response;
  EXPECT_THAT(AddPrincipal(*admin_, request, &response),
              Raises(Exception::kAlreadyExistsException));
  request.set_arn("arn:aws:iam::444455556666:role/b/Service");
  EXPECT_THAT(AddPrincipal(*admin_, request, &response), IsOk());
}

}  // namespace
}  // namespace hallmark::app
