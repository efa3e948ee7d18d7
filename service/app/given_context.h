// What an Explain says of the call that is explained, for the conditions of policies.
#pragma once

#include "hallmark/v1/explain.pb.h"
#include "keystate/policy/condition_keys.h"
#include "keystate/policy/request_context.h"
#include "keystate/records.h"
#include "keystate/result.h"

#include <google/protobuf/repeated_field.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace hallmark::app {

// Where a call has the value of a condition key from.
enum class ValueOrigin {
  kRequest,    // its members: whoever makes it chooses them
  kKey,        // the key that it names, and by which alias; of CreateKey its members
  kCall,       // what brought it: address, time, service
  kPrincipal,  // who makes it and about what: it cannot be given
};
ValueOrigin OriginOf(ConditionKeyId key);

// Values of condition keys, read and typed. Texts are borrowed from what it was parsed from; lists
// it owns, and so what it was applied to must not outlive it.
class GivenContext {
 public:
  // Errors: ValidationException that names the key, for one that does not exist or cannot be given,
  //   for a value that is not of its type, and for several values of a key that has one.
  static Result<GivenContext> Parse(
      const google::protobuf::RepeatedPtrField<v1::ContextValue>& values);

  // Puts what was given in the place of what the context has. Given tags of the resource join those
  // that it has.
  void ApplyTo(RequestContext* context);

  // Whether a value was given that does not come from the request's own members, so that a caller
  // could not try it. `names_key`: the call is about a key that is there.
  bool GoesBeyondTheRequest(bool names_key) const;
  // The operations of a grant that is to be made, by their names; empty: none are given.
  std::vector<std::string_view> grant_operations() const;
  bool has_request_tags() const { return !request_tags_.empty(); }

 private:
  struct Tag {
    std::string key;
    std::string_view value;
  };
  // The values of each key as they were given, by the first spelling of its name.
  struct Given {
    ConditionKey key;
    std::vector<std::string_view> values;
  };

  Status Add(const Given& given);
  template <class Member, class Read>
  Status Set(const Given& given, const char* type, Member RequestContext::*member, Read read);

  std::vector<ValueOrigin> origins_;
  std::vector<std::function<void(RequestContext*)>> setters_;
  std::vector<std::string> grant_operations_;
  std::vector<std::string> tag_keys_;
  std::vector<Tag> request_tags_;
  std::vector<Tag> resource_tags_;
  std::unique_ptr<const ResourceAliases> aliases_;
  // The resource's tags with those that were given, for each context that it was applied to.
  std::deque<std::vector<Tag>> joined_tags_;
};

}  // namespace hallmark::app
