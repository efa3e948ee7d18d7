#include "service/audit/audit_log.h"

#include "hallmark/v1/options.pb.h"
#include "keystate/grants/grant_set.h"
#include "keystate/policy/policy_time.h"
#include "proto/kms_names.h"
#include "service/app/access.h"
#include "service/json/json_writer.h"

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

// Longer texts are cut: they come from outside, and room was set aside for so much. All are counted
// as they are written. Messages, ARNs, decisions: four of them and the rest fit into kTailBytes.
constexpr std::size_t kMaxText = 2048;
// Names, ids, addresses.
constexpr std::size_t kMaxShortText = 256;
// Of a request: one text, one list, and all texts but a policy. Field names and known enum values
// take the rest of kMaxParameterBytes.
constexpr std::size_t kMaxParameter = 1024;
constexpr int kMaxItems = 50;
// Of a call that was refused.
constexpr std::size_t kMaxRefusedParameters = 4096;
constexpr std::size_t kMaxParameterTexts = 32 * 1024;

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

// Writes the parameters of one request and keeps them short.
class ParameterWriter {
 public:
  explicit ParameterWriter(JsonWriter* out) : out_(out) {}

  void Write(const Message& message);

 private:
  // `index` -1: the field is not repeated.
  void WriteValue(const Message& message, const FieldDescriptor& field, int index);
  void WriteText(const FieldDescriptor& field, const std::string& text);
  void WriteList(const Message& message, const FieldDescriptor& field);

  JsonWriter* const out_;
  std::size_t texts_left_ = kMaxParameterTexts;
  bool policy_written_ = false;
};

void ParameterWriter::WriteText(const FieldDescriptor& field, const std::string& text) {
  // A longer one is refused in any case.
  if (field.name() == "policy" && text.size() <= Policy::kMaxBytes && !policy_written_) {
    policy_written_ = true;
    return out_->Text(text, AuditLog::kMaxPolicyBytes);
  }
  const std::size_t before = out_->text().size();
  out_->Text(text, std::min(kMaxParameter, texts_left_));
  texts_left_ -= std::min(texts_left_, out_->text().size() - before);
}

void ParameterWriter::WriteValue(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const bool repeated = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      return WriteText(
          field, repeated ? reflection.GetRepeatedStringReference(message, &field, index, &scratch)
                          : reflection.GetStringReference(message, &field, &scratch));
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = repeated ? reflection.GetRepeatedEnumValue(message, &field, index)
                                  : reflection.GetEnumValue(message, &field);
      const auto* value = field.enum_type()->FindValueByNumber(number);
      if (value != nullptr) return out_->Text(proto::KmsName(*value));
      const auto name = proto::UnknownName(message, field, number);
      return name ? WriteText(field, std::string(*name)) : out_->Number(number);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return out_->Bool(repeated ? reflection.GetRepeatedBool(message, &field, index)
                                 : reflection.GetBool(message, &field));
    case FieldDescriptor::CPPTYPE_INT32:
      return out_->Number(repeated ? reflection.GetRepeatedInt32(message, &field, index)
                                   : reflection.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return out_->Number(repeated ? reflection.GetRepeatedInt64(message, &field, index)
                                   : reflection.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return Write(repeated ? reflection.GetRepeatedMessage(message, &field, index)
                            : reflection.GetMessage(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return out_->Null();  // no request has any
  }
}

void ParameterWriter::WriteList(const Message& message, const FieldDescriptor& field) {
  const int size = message.GetReflection()->FieldSize(message, &field);
  int written = 0;
  out_->Name(ParameterName(field));
  out_->BeginArray();
  for (; written < std::min(size, kMaxItems) && texts_left_ > 0; ++written) {
    WriteValue(message, field, written);
  }
  out_->EndArray();
  if (written == size) return;
  out_->Name(ParameterName(field) + "LeftOut");
  out_->Number(size - written);
}

void ParameterWriter::Write(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  out_->BeginObject();
  for (const FieldDescriptor* field : fields) {
    if (!IsRecorded(*field)) continue;
    if (field->is_repeated()) {
      WriteList(message, *field);
    } else {
      out_->Name(ParameterName(*field));
      WriteValue(message, *field, -1);
    }
  }
  out_->EndObject();
}

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
    out->Member("principalId", record.unique_id, kMaxShortText);
    out->Member("arn", record.arn.text(), kMaxText);
    out->Member("accountId", record.arn.account().text(), kMaxShortText);
    if (!event.access_key_id.empty()) {
      out->Member("accessKeyId", event.access_key_id, kMaxShortText);
    }
  }
  out->EndObject();
}

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
    out.Member("eventName", event.name, kMaxShortText);
    out.Member("awsRegion", log_.origin_.site.region, kMaxShortText);
    out.Member("sourceIPAddress", app::AddressOf(event.peer), kMaxShortText);
    if (!outcome.has_value()) {
      out.Member("errorCode", Describe(outcome.error().exception).name);
      out.Member("errorMessage", outcome.error().message, kMaxText);
    }
    // Whoever is refused must not fill the disk with what it sent.
    const bool too_much = !outcome.has_value() && parameters_.size() > kMaxRefusedParameters;
    out.Raw("requestParameters", too_much ? "null" : parameters_);
    out.Name("responseElements");
    out.Null();
    out.Member("requestID", event.request_id, kMaxShortText);
    out.Member("eventID", EventId());
    out.Name("readOnly");
    out.Bool(event.reads_only);
    if (!event.key_arn.empty()) {
      out.Name("resources");
      out.BeginArray();
      out.BeginObject();
      out.Member("ARN", event.key_arn, kMaxText);
      out.Member("type", "AWS::KMS::Key");
      out.EndObject();
      out.EndArray();
    }
    out.Member("eventType", NamesOf(event.source).type);
    // Ours: what CloudTrail does not say.
    out.Name("hallmark");
    out.BeginObject();
    if (!event.decided_by.empty()) out.Member("decidedBy", event.decided_by, kMaxText);
    out.Member("token", event.token_id.empty() ? log_.origin_.token_id : event.token_id,
               kMaxShortText);
    const auto duration = log_.clock_.SteadyNow() - event.started;
    out.Name("durationMicroseconds");
    out.Number(std::chrono::duration_cast<std::chrono::microseconds>(duration).count());
    if (too_much) {
      out.Name("parameterBytesLeftOut");
      out.Number(static_cast<std::int64_t>(parameters_.size()));
    }
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
    ParameterWriter(&parameters).Write(*request);
  }
  std::string text = parameters.Take();
  const std::size_t room = text.size() + kTailBytes;
  if (!file_.Reserve(room)) {
    return Fail(Exception::kKMSInternalException, kUnrecordable, "the audit log cannot be written");
  }
  return std::unique_ptr<Slot>(std::make_unique<FileSlot>(*this, std::move(text), room));
}

}  // namespace hallmark::audit
