#include "keystate/policy/request_context.h"

#include "keystate/policy/pattern.h"

namespace hallmark {

std::optional<std::string_view> TagList::Find(std::string_view key) const {
  std::optional<std::string_view> similar;
  for (std::size_t i = 0; i < size_; ++i) {
    const TagView tag = at_(tags_, i);
    if (tag.key == key) return tag.value;
    if (!similar && EqualIgnoringCase(tag.key, key)) similar = tag.value;
  }
  return similar;
}

}  // namespace hallmark
