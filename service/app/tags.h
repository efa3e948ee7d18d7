// The rules of tags, for every operation that takes them.
#pragma once

#include "hallmark/v1/kms.pb.h"
#include "keystate/policy/request_context.h"
#include "keystate/records.h"
#include "keystate/result.h"

#include <google/protobuf/repeated_ptr_field.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::app {

using TagList = google::protobuf::RepeatedPtrField<v1::Tag>;

// What policies may judge of the tags in a request: aws:RequestTag/… and aws:TagKeys. Owns the
// words that a context borrows.
class TagWords {
 public:
  explicit TagWords(const TagList& tags);
  explicit TagWords(const google::protobuf::RepeatedPtrField<std::string>& tag_keys)
      : keys_(tag_keys.begin(), tag_keys.end()) {}

  void FillIn(RequestContext* context) const;

 private:
  std::vector<PrincipalTag> tags_;
  std::vector<std::string> keys_;
};

// Errors: TagException for a reserved prefix, a tag key that is given twice, or more tags than a
//   key can have.
Status CheckTags(const TagList& tags);
// Errors: TagException for a reserved prefix.
Status CheckTagKey(std::string_view tag_key);
Status CheckTagKeys(const google::protobuf::RepeatedPtrField<std::string>& tag_keys);

// Adds `given` to the tags of a key; one whose key is there already takes the new value in its old
// place. Returns the indexes of the tags that differ now and have to be written.
//
// Errors: TagException when there would be too many.
Result<std::vector<std::size_t>> MergeTags(const KeyId& key_id, const TagList& given,
                                           std::vector<TagRecord>* tags);

}  // namespace hallmark::app
