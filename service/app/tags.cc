#include "service/app/tags.h"

#include <algorithm>
#include <cctype>
#include <set>

namespace hallmark::app {
namespace {

// Source: KMS developer guide, "Resource quotas".
constexpr std::size_t kMaxTagsPerKey = 50;
constexpr std::string_view kReservedPrefix = "aws:";

// In any letter case.
bool IsReserved(std::string_view tag_key) {
  return tag_key.size() >= kReservedPrefix.size() &&
         std::equal(
             kReservedPrefix.begin(), kReservedPrefix.end(), tag_key.begin(),
             [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

Unexpected<Error> Reserved() {
  return Fail(Exception::kTagException, "Tags beginning with aws: are reserved");
}

Unexpected<Error> TooMany() { return Fail(Exception::kTagException, "Too many tags"); }

}  // namespace

TagWords::TagWords(const TagList& tags) {
  for (const v1::Tag& tag : tags) {
    tags_.push_back({.key = tag.tag_key(), .value = tag.tag_value()});
    keys_.push_back(tag.tag_key());
  }
}

void TagWords::FillIn(RequestContext* context) const {
  context->request_tags = hallmark::TagList(tags_);
  context->tag_keys = ValueList(keys_);
}

Status CheckTags(const TagList& tags) {
  // One beyond is as many as the work that rules out more has to look at.
  const int looked_at = std::min(tags.size(), static_cast<int>(kMaxTagsPerKey) + 1);
  std::set<std::string_view> seen;
  bool duplicate = false;
  for (int i = 0; i < looked_at; ++i) {
    const std::string& tag_key = tags.Get(i).tag_key();
    if (IsReserved(tag_key)) return Reserved();
    duplicate = !seen.insert(tag_key).second || duplicate;
  }
  if (duplicate) return Fail(Exception::kTagException, "Duplicate tag keys");
  if (tags.size() > looked_at) return TooMany();
  return {};
}

Status CheckTagKey(std::string_view tag_key) {
  if (IsReserved(tag_key)) return Reserved();
  return {};
}

Status CheckTagKeys(const google::protobuf::RepeatedPtrField<std::string>& tag_keys) {
  if (std::any_of(tag_keys.begin(), tag_keys.end(), IsReserved)) return Reserved();
  return {};
}

Result<std::vector<std::size_t>> MergeTags(const KeyId& key_id, const TagList& given,
                                           std::vector<TagRecord>* tags) {
  std::vector<std::size_t> changed;
  for (const v1::Tag& tag : given) {
    const auto same = std::find_if(tags->begin(), tags->end(), [&](const TagRecord& record) {
      return record.tag_key == tag.tag_key();
    });
    if (same == tags->end()) {
      const std::uint32_t position = tags->empty() ? 0 : tags->back().position + 1;
      changed.push_back(tags->size());
      tags->push_back({key_id, tag.tag_key(), tag.tag_value(), position});
    } else if (same->tag_value != tag.tag_value()) {
      changed.push_back(static_cast<std::size_t>(same - tags->begin()));
      same->tag_value = tag.tag_value();
    }
  }
  if (tags->size() > kMaxTagsPerKey) return TooMany();
  return changed;
}

}  // namespace hallmark::app
