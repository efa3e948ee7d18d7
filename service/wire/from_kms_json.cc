#include "keystate/base64.h"
#include "proto/kms_names.h"
#include "service/wire/json_codec.h"
#include "service/wire/json_members.h"

#include <google/protobuf/timestamp.pb.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace hallmark::wire {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;

// Known members or not. CreateGrant needs three levels.
constexpr std::size_t kMaxDepth = 32;

// What a Timestamp can say: from the year 1 to the end of 9999.
constexpr double kFirstMillisecond = -62'135'596'800'000.0;
constexpr double kLastMillisecond = 253'402'300'799'999.0;

Unexpected<Error> UnexpectedToken(std::size_t byte) {
  return Fail(Exception::kSerializationException,
              "Unexpected token at byte " + std::to_string(byte) + " of the body");
}

// Where a value belongs.
struct Slot {
  Message* message = nullptr;
  // Null: nowhere, the value is ignored.
  const FieldDescriptor* field = nullptr;
  // One value is due: the field is not repeated, or the value is an item of it.
  bool one = true;

  bool Takes(FieldDescriptor::CppType type) const { return one && field->cpp_type() == type; }
  bool TakesTime() const { return Takes(FieldDescriptor::CPPTYPE_MESSAGE) && IsTimestamp(*field); }
  bool TakesStructure() const {
    return Takes(FieldDescriptor::CPPTYPE_MESSAGE) && !IsTimestamp(*field);
  }
};

// Stores a value by `Set…`, or as one more item by `Add…`.
#define HALLMARK_STORE(slot, Type, value)                                                \
  ((slot).field->is_repeated()                                                           \
       ? (slot).message->GetReflection()->Add##Type((slot).message, (slot).field, value) \
       : (slot).message->GetReflection()->Set##Type((slot).message, (slot).field, value))

Message* NewMessage(const Slot& slot) {
  const Reflection& reflection = *slot.message->GetReflection();
  return slot.field->is_repeated() ? reflection.AddMessage(slot.message, slot.field)
                                   : reflection.MutableMessage(slot.message, slot.field);
}

// As refusals call it.
std::string TypeName(const Slot& slot) {
  if (!slot.one) return slot.field->is_map() ? "a Map" : "a List";
  switch (slot.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return slot.field->type() == FieldDescriptor::TYPE_BYTES ? "a Blob" : "a String";
    case FieldDescriptor::CPPTYPE_ENUM:
      return "a String";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "a Boolean";
    case FieldDescriptor::CPPTYPE_INT32:
      return "an Integer";
    case FieldDescriptor::CPPTYPE_INT64:
      return "a Long";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return IsTimestamp(*slot.field) ? "a Timestamp" : "a Structure";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      break;  // no member is of these
  }
  return "what is due";
}

// Receives what nlohmann's parser reads and fills the message. Neither recurses.
//
// Refusals show nothing of the body: a path is made of the schema's names and of places in lists.
class Reader {
 public:
  using Json = nlohmann::json;

  explicit Reader(Message* root) : root_(root) {}

  // The names are those of nlohmann's SAX interface.
  // NOLINTBEGIN(readability-identifier-naming)
  bool null() {
    // A member that is null is one that is left out; an item has no such reading.
    if (!open_.empty() && (open_.back().kind == Kind::kList || open_.back().kind == Kind::kMap)) {
      return RefuseConversion("NULL_VALUE", Next());
    }
    return true;
  }
  bool boolean(bool value) {
    const Slot slot = Next();
    if (slot.field == nullptr) return true;
    if (!slot.Takes(FieldDescriptor::CPPTYPE_BOOL)) {
      return RefuseConversion(value ? "TRUE_VALUE" : "FALSE_VALUE", slot);
    }
    HALLMARK_STORE(slot, Bool, value);
    return true;
  }
  bool number_integer(std::int64_t value) {
    return Number({.value = static_cast<double>(value), .integer = value});
  }
  bool number_unsigned(std::uint64_t value) {
    const bool fits = value <= std::numeric_limits<std::int64_t>::max();
    return Number(
        {.value = static_cast<double>(value),
         .integer = fits ? std::optional(static_cast<std::int64_t>(value)) : std::nullopt});
  }
  bool number_float(double value, const std::string& digits) {
    return Number({.value = value, .fraction = digits.find_first_of(".eE") != std::string::npos});
  }
  bool string(std::string& value) { return Text(value); }
  bool binary(Json::binary_t& /*value*/) { return Refuse("Unexpected binary value"); }
  bool start_object(std::size_t /*size*/) {
    if (open_.empty()) return Open({Kind::kStructure, root_, &MembersOf(root_->GetDescriptor())});
    const Slot slot = Next();
    if (slot.field == nullptr) return Open({Kind::kIgnored});
    if (!slot.one && slot.field->is_map()) return Open({Kind::kMap, slot.message});
    if (!slot.TakesStructure()) {
      return Refuse("Start of structure or map found where not expected");
    }
    Message* structure = NewMessage(slot);
    return Open({Kind::kStructure, structure, &MembersOf(structure->GetDescriptor())});
  }
  bool key(std::string& name) {
    Frame& object = open_.back();
    if (object.kind == Kind::kStructure) object.member = FindMember(*object.members, name);
    object.names.push_back(std::move(name));
    return true;
  }
  bool end_object() {
    std::vector<std::string>& names = open_.back().names;
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) return RefuseDuplicate(*twice);
    open_.pop_back();
    return true;
  }
  bool start_array(std::size_t /*size*/) {
    const Slot slot = Next();
    if (!open_.empty() && slot.field == nullptr) return Open({Kind::kIgnored});
    if (open_.empty() || slot.one || slot.field->is_map()) {
      return Refuse("Start of list found where not expected");
    }
    return Open({Kind::kList, slot.message});
  }
  bool end_array() {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) {
    refusal_ = UnexpectedToken(position);
    return false;
  }
  // NOLINTEND(readability-identifier-naming)

  Status Finish(bool parsed) && {
    if (refusal_) return *std::move(refusal_);
    if (!parsed || !structure_) {
      return Fail(Exception::kSerializationException, "The body is not a structure");
    }
    return {};
  }

 private:
  enum class Kind { kStructure, kList, kMap, kIgnored };

  // An object or list that is open.
  struct Frame {
    Kind kind;
    // Of a structure itself; of a list or a map the message that has it.
    Message* message = nullptr;
    const JsonMembers* members = nullptr;  // of a structure
    const JsonMember* member = nullptr;    // of a structure the one that is read, if it is known
    std::size_t items = 0;                 // of a list those that have begun
    std::vector<std::string> names{};      // of an object those that have come
  };

  struct ParsedNumber {
    double value;
    // Nothing if it does not fit.
    std::optional<std::int64_t> integer{};
    // It is written with a fraction or an exponent.
    bool fraction = false;
  };

  // The place of the value that comes now. INVARIANT: called once for each.
  Slot Next() {
    if (open_.empty()) return {};
    Frame& top = open_.back();
    switch (top.kind) {
      case Kind::kIgnored:
        return {};
      case Kind::kStructure:
        if (top.member == nullptr) return {};
        return {top.message, top.member->field, !top.member->field->is_repeated()};
      case Kind::kList:
        ++top.items;
        return {top.message, Holder().member->field, true};
      case Kind::kMap: {
        const FieldDescriptor* map = Holder().member->field;
        Message* entry = top.message->GetReflection()->AddMessage(top.message, map);
        entry->GetReflection()->SetString(entry, map->message_type()->map_key(), top.names.back());
        return {entry, map->message_type()->map_value(), true};
      }
    }
    return {};
  }

  // Of a list or a map the structure that has it.
  const Frame& Holder() const { return open_[open_.size() - 2]; }

  bool Text(std::string& value) {
    const Slot slot = Next();
    if (slot.field == nullptr) return true;
    if (slot.Takes(FieldDescriptor::CPPTYPE_ENUM)) {
      const auto* known = proto::FindByKmsName(*slot.field->enum_type(), value);
      if (known == nullptr) {
        proto::KeepUnknownName(value, *slot.field, slot.message);
      } else {
        HALLMARK_STORE(slot, EnumValue, known->number());
      }
      return true;
    }
    if (!slot.Takes(FieldDescriptor::CPPTYPE_STRING)) return RefuseConversion("STRING_VALUE", slot);
    if (slot.field->type() == FieldDescriptor::TYPE_BYTES) {
      std::optional<std::string> bytes = DecodeBase64(value);
      if (!bytes) return Refuse("STRING_VALUE is not valid base64");
      value = *std::move(bytes);
    }
    HALLMARK_STORE(slot, String, std::move(value));
    return true;
  }

  bool Number(const ParsedNumber& number) {
    const Slot slot = Next();
    if (slot.field == nullptr) return true;
    if (slot.TakesTime()) return Time(slot, number.value);
    const bool small = slot.Takes(FieldDescriptor::CPPTYPE_INT32);
    if (!small && !slot.Takes(FieldDescriptor::CPPTYPE_INT64)) {
      return RefuseConversion("NUMBER_VALUE", slot);
    }
    if (number.fraction) {
      return RefuseConversion("NUMBER_VALUE with a fraction or an exponent", slot);
    }
    using Small = std::numeric_limits<std::int32_t>;
    if (!number.integer ||
        (small && (*number.integer < Small::min() || *number.integer > Small::max()))) {
      return Refuse("NUMBER_VALUE is out of range for " + TypeName(slot));
    }
    if (small) {
      HALLMARK_STORE(slot, Int32, static_cast<std::int32_t>(*number.integer));
    } else {
      HALLMARK_STORE(slot, Int64, *number.integer);
    }
    return true;
  }

  bool Time(const Slot& slot, double seconds) {
    const double milliseconds = std::round(seconds * 1e3);
    if (!(milliseconds >= kFirstMillisecond && milliseconds <= kLastMillisecond)) {
      return Refuse("NUMBER_VALUE is out of range for " + TypeName(slot));
    }
    const double whole = std::floor(milliseconds / 1e3);
    auto* time = static_cast<Timestamp*>(NewMessage(slot));
    time->set_seconds(static_cast<std::int64_t>(whole));
    time->set_nanos(static_cast<std::int32_t>(milliseconds - whole * 1e3) * 1'000'000);
    return true;
  }

  bool Open(Frame frame) {
    structure_ = true;
    if (open_.size() == kMaxDepth) {
      return Refuse("Nested more than " + std::to_string(kMaxDepth) + " levels deep");
    }
    open_.push_back(std::move(frame));
    return true;
  }

  bool Refuse(std::string reason) {
    if (const std::string path = Path(); !path.empty()) reason += " at '" + path + "'";
    refusal_ = Fail(Exception::kSerializationException, std::move(reason));
    return false;
  }

  bool RefuseConversion(const std::string& kind, const Slot& slot) {
    return Refuse(kind + " can not be converted to " + TypeName(slot));
  }

  bool RefuseDuplicate(const std::string& name) {
    Frame& object = open_.back();
    if (object.kind == Kind::kMap) return Refuse("Duplicate key");
    if (object.kind == Kind::kStructure) object.member = FindMember(*object.members, name);
    return Refuse(object.member == nullptr ? "Duplicate unknown member" : "Duplicate member");
  }

  // Where the reader stands: "tags.2.member.tagKey"; empty in a member of the body that is unknown.
  std::string Path() const {
    std::string path;
    const auto append = [&](const std::string& part) {
      if (!path.empty()) path += '.';
      path += part;
    };
    for (const Frame& frame : open_) {
      if (frame.kind == Kind::kStructure && frame.member != nullptr) append(frame.member->path);
      if (frame.kind == Kind::kList) append(std::to_string(frame.items) + ".member");
    }
    return path;
  }

  Message* root_;
  std::vector<Frame> open_;
  // The body is an object.
  bool structure_ = false;
  std::optional<Unexpected<Error>> refusal_;
};

#undef HALLMARK_STORE

}  // namespace

Status FromKmsJson(std::string_view json, Message* message) {
  if (json.empty()) return {};
  // The parser would take a NUL for the end of the body and would skip a byte order mark.
  if (const std::size_t nul = json.find('\0'); nul != std::string_view::npos) {
    return UnexpectedToken(nul + 1);
  }
  if (json.starts_with("\xEF\xBB\xBF")) return UnexpectedToken(1);
  Reader reader(message);
  const bool parsed = nlohmann::json::sax_parse(json, &reader);
  return std::move(reader).Finish(parsed);
}

}  // namespace hallmark::wire
