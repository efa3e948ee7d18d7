// Tags of principals, under IAM's rules: keys are compared without regard to case.
#include "keystate/policy/pattern.h"
#include "service/app/principal_parts.h"
#include "service/app/tags.h"
#include "service/app/validation.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::app {
namespace {

// Source: IAM user guide, "IAM and STS quotas". Units: tags.
constexpr std::size_t kMaxTagsPerPrincipal = 50;

std::vector<PrincipalTag>::iterator FindTag(std::vector<PrincipalTag>& tags, std::string_view key) {
  return std::find_if(tags.begin(), tags.end(),
                      [&](const PrincipalTag& tag) { return EqualIgnoringCase(tag.key, key); });
}

}  // namespace

Status TagPrincipal(PrincipalAdmin& admin, const v1::TagPrincipalRequest& request,
                    v1::TagPrincipalResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto old, FindPrincipal(admin, request.arn()));
  std::vector<PrincipalTag> given;
  for (const v1::PrincipalTag& tag : request.tags()) {
    HALLMARK_RETURN_IF_ERROR(CheckTagKey(tag.key()));
    if (FindTag(given, tag.key()) != given.end()) {
      return Fail(Exception::kTagException,
                  "The tag key '" + tag.key() + "' is given twice; keys of tags know no case");
    }
    given.push_back({tag.key(), tag.value()});
  }
  const auto next = std::make_shared<Principal>(*old);
  std::vector<PrincipalTag>& tags = next->record.tags;
  for (const PrincipalTag& tag : given) {
    const auto same = FindTag(tags, tag.key);
    if (same == tags.end()) {
      tags.push_back(tag);
    } else {
      *same = tag;
    }
  }
  if (tags.size() > kMaxTagsPerPrincipal) {
    return Fail(Exception::kTagException,
                "Too many tags: a principal may have " + std::to_string(kMaxTagsPerPrincipal));
  }
  if (tags != old->record.tags) HALLMARK_RETURN_IF_ERROR(CommitChange(admin, next, {}));
  FillPrincipal(*next, response->mutable_principal());
  return {};
}

Status UntagPrincipal(PrincipalAdmin& admin, const v1::UntagPrincipalRequest& request,
                      v1::UntagPrincipalResponse* response) {
  HALLMARK_RETURN_IF_ERROR(Validate(request));
  HALLMARK_ASSIGN_OR_RETURN(const auto old, FindPrincipal(admin, request.arn()));
  const auto next = std::make_shared<Principal>(*old);
  for (const std::string& key : request.tag_keys()) {
    std::vector<PrincipalTag>& tags = next->record.tags;
    if (const auto found = FindTag(tags, key); found != tags.end()) tags.erase(found);
  }
  if (next->record.tags != old->record.tags)
    HALLMARK_RETURN_IF_ERROR(CommitChange(admin, next, {}));
  FillPrincipal(*next, response->mutable_principal());
  return {};
}

}  // namespace hallmark::app
