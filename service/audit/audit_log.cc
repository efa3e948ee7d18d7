#include "service/audit/audit_log.h"

#include "hallmark/v1/options.pb.h"
#include "keystate/grants/grant_set.h"
#include "keystate/policy/policy_time.h"
#include "service/app/enum_names.h"
#include "service/audit/json_writer.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string_view>
#include <utility>

namespace hallmark::audit {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr const char* kUnrecordable =
    "The request could not be recorded, so it was not carried out.";

// Longer texts are cut: they come from outside, and room was set aside for so much.
constexpr std::size_t kMaxText = 2048;

bool IsRecorded(const FieldDescriptor& field) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
      field.type() == FieldDescriptor::TYPE_BYTES) {
    return false;
  }
  if (field.options().GetExtension(v1::constraint).sensitive()) return false;
  if (field.options().GetExtension(v1::extension)) return false;
  return field.name() != "grant_token" && field.name() != "grant_tokens" && !field.is_map();
}

// "KeyId" → "keyId", as CloudTrail spells it.
std::string ParameterName(const FieldDescriptor& field) {
  std::string name = field.json_name();
  if (!name.empty() && name.front() >= 'A' && name.front() <= 'Z') {
    name.front() = static_cast<char>(name.front() - 'A' + 'a');
  }
  return name;
}

void WriteMessage(const Message& message, JsonWriter* out);

// `index` -1: the field is not repeated.
void WriteValue(const Message& message, const FieldDescriptor& field, int index, JsonWriter* out) {
  const Reflection& reflection = *message.GetReflection();
  const bool repeated = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = repeated ? reflection.GetRepeatedString(message, &field, index)
                                        : reflection.GetString(message, &field);
      return out->Text(text);
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = repeated ? reflection.GetRepeatedEnumValue(message, &field, index)
                                  : reflection.GetEnumValue(message, &field);
      const auto* value = field.enum_type()->FindValueByNumber(number);
      return value == nullptr ? out->Number(number) : out->Text(app::KmsName(*value));
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return out->Bool(repeated ? reflection.GetRepeatedBool(message, &field, index)
                                : reflection.GetBool(message, &field));
    case FieldDescriptor::CPPTYPE_INT32:
      return out->Number(repeated ? reflection.GetRepeatedInt32(message, &field, index)
                                  : reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return out->Number(repeated ? reflection.GetRepeatedInt64(message, &field, index)
                                  : reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return WriteMessage(repeated ? reflection.GetRepeatedMessage(message, &field, index)
                                   : reflection.GetMessage(message, &field),
                          out);
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return out->Null();  // no request has any
  }
}

void WriteMessage(const Message& message, JsonWriter* out) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  out->BeginObject();
  for (const FieldDescriptor* field : fields) {
    if (!IsRecorded(*field)) continue;
    out->Name(ParameterName(*field));
    if (!field->is_repeated()) {
      WriteValue(message, *field, -1, out);
      continue;
    }
    out->BeginArray();
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      WriteValue(message, *field, i, out);
    }
    out->EndArray();
  }
  out->EndObject();
}

std::string_view Cut(std::string_view text) { return text.substr(0, kMaxText); }

std::string_view TypeOf(const Principal& principal) {
  switch (principal.record.arn.kind()) {
    case PrincipalKind::kRoot:
      return "Root";
    case PrincipalKind::kUser:
      return "IAMUser";
    case PrincipalKind::kRole:
      return "Role";
    case PrincipalKind::kSession:
      return "AssumedRole";
  }
  return "";
}

// How the two sources are told apart.
struct SourceNames {
  std::string_view source;
  std::string_view type;
};

SourceNames NamesOf(app::AuditSource source) {
  switch (source) {
    case app::AuditSource::kKms:
      return {"kms.amazonaws.com", "AwsApiCall"};
    case app::AuditSource::kAdministration:
      return {"hallmark.v1.AdminService", "HallmarkAdministration"};
    case app::AuditSource::kService:
      return {"kms.amazonaws.com", "AwsServiceEvent"};
  }
  return {};
}

void WriteIdentity(const app::AuditEvent& event, JsonWriter* out) {
  out->Name("userIdentity");
  out->BeginObject();
  if (event.source == app::AuditSource::kService) {
    out->Member("type", "AWSService");
    out->Member("invokedBy", "kms.amazonaws.com");
  } else if (event.caller == nullptr) {
    out->Member("type", event.by_operator ? "Operator" : "Unknown");
  } else {
    const PrincipalRecord& record = event.caller->record;
    out->Member("type", TypeOf(*event.caller));
    out->Member("principalId", record.unique_id);
    out->Member("arn", record.arn.text());
    out->Member("accountId", record.arn.account().text());
  }
  out->EndObject();
}

std::string_view WithoutPort(std::string_view peer) { return peer.substr(0, peer.rfind(':')); }

}  // namespace

class AuditLog::FileSlot final : public Slot {
 public:
  FileSlot(AuditLog& log, std::string parameters, std::size_t reserved)
      : log_(log), parameters_(std::move(parameters)), reserved_(reserved) {}
  ~FileSlot() override {
    if (reserved_ > 0) log_.file_.Release(reserved_);
  }

  Status Write(const app::AuditEvent& event, const Status& outcome) override {
    const std::string line = Line(event, outcome);
    if (log_.file_.Append(line, std::exchange(reserved_, 0))) return {};
    return Fail(Exception::kKMSInternalException, kUnrecordable, "the audit log cannot be written");
  }

 private:
  std::string Line(const app::AuditEvent& event, const Status& outcome) const {
    PolicyTimeBuffer time{};
    JsonWriter out;
    out.BeginObject();
    out.Member("eventVersion", "1.09");
    WriteIdentity(event, &out);
    out.Member("eventTime", FormatPolicyTime(log_.clock_.Now(), time));
    out.Member("eventSource", NamesOf(event.source).source);
    out.Member("eventName", event.name);
    out.Member("awsRegion", log_.origin_.site.region);
    out.Member("sourceIPAddress", WithoutPort(event.peer));
    if (!outcome.has_value()) {
      out.Member("errorCode", Describe(outcome.error().exception).name);
      out.Member("errorMessage", Cut(outcome.error().message));
    }
    out.Raw("requestParameters", parameters_);
    out.Name("responseElements");
    out.Null();
    out.Member("requestID", event.request_id);
    out.Member("eventID", EventId());
    out.Name("readOnly");
    out.Bool(event.reads_only);
    if (!event.key_arn.empty()) {
      out.Name("resources");
      out.BeginArray();
      out.BeginObject();
      out.Member("ARN", Cut(event.key_arn));
      out.Member("type", "AWS::KMS::Key");
      out.EndObject();
      out.EndArray();
    }
    out.Member("eventType", NamesOf(event.source).type);
    // Ours: what CloudTrail does not say.
    out.Name("hallmark");
    out.BeginObject();
    if (!event.decided_by.empty()) out.Member("decidedBy", Cut(event.decided_by));
    out.Member("token", log_.origin_.token_id);
    const auto duration = log_.clock_.SteadyNow() - event.started;
    out.Name("durationMicroseconds");
    out.Number(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
    if (event.unrecorded > 0) {
      out.Name("unrecorded");
      out.Number(event.unrecorded);
    }
    out.EndObject();
    out.EndObject();
    return out.Take();
  }

  std::string EventId() const {
    std::array<std::byte, 16> random{};
    log_.random_.Fill(random);
    return KeyId::FromRandom(random).ToString();  // a version 4 UUID
  }

  AuditLog& log_;
  const std::string parameters_;
  std::size_t reserved_;
};

Result<std::unique_ptr<app::AuditSink::Slot>> AuditLog::Reserve(const Message* request) {
  JsonWriter parameters;
  if (request == nullptr) {
    parameters.Null();
  } else {
    WriteMessage(*request, &parameters);
  }
  std::string text = parameters.Take();
  const std::size_t room = text.size() + kTailBytes;
  if (!file_.Reserve(room)) {
    return Fail(Exception::kKMSInternalException, kUnrecordable, "the audit log cannot be written");
  }
  return std::unique_ptr<Slot>(std::make_unique<FileSlot>(*this, std::move(text), room));
}

}  // namespace hallmark::audit
