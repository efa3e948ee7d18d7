#include "keystate/policy/text_template.h"

#include <algorithm>
#include <utility>

namespace hallmark {
namespace {

char Compile(char c, bool wildcards) {
  if (wildcards && c == '*') return kAnyRun;
  if (wildcards && c == '?') return kAnyOne;
  return c;
}

bool HoldsMarker(std::string_view text) {
  return text.find(kAnyRun) != std::string_view::npos ||
         text.find(kAnyOne) != std::string_view::npos;
}

}  // namespace

void ResolvedText::Append(std::string_view text) {
  if (overflow_.empty() && size_ + text.size() <= inline_.size()) {
    std::copy(text.begin(), text.end(), inline_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
    return;
  }
  if (overflow_.empty()) overflow_.assign(inline_.data(), size_);
  overflow_ += text;
}

// `inside` stands between the braces: "aws:username" or "aws:PrincipalTag/team, 'none'".
std::optional<TextTemplate::Variable> TextTemplate::ParseVariable(std::string_view inside,
                                                                  std::string& reason) {
  Variable variable;
  const std::size_t comma = inside.find(',');
  std::string_view name = inside.substr(0, comma);
  while (name.ends_with(' ')) name.remove_suffix(1);
  if (comma != std::string_view::npos) {
    std::string_view fallback = inside.substr(comma + 1);
    while (fallback.starts_with(' ')) fallback.remove_prefix(1);
    while (fallback.ends_with(' ')) fallback.remove_suffix(1);
    if (fallback.size() < 2 || !fallback.starts_with('\'') || !fallback.ends_with('\'')) {
      reason = "the default of a variable must stand in single quotes";
      return std::nullopt;
    }
    variable.fallback = fallback.substr(1, fallback.size() - 2);
  }
  if (name.empty() || name.find_first_of(" ${") != std::string_view::npos) {
    reason = "a variable must be ${key} or ${key, 'default'}";
    return std::nullopt;
  }
  variable.key = ConditionKey::Parse(name);
  return variable;
}

std::optional<TextTemplate> TextTemplate::Parse(std::string_view text, TextRules rules,
                                                std::string& reason) {
  TextTemplate made;
  std::string literal;
  for (std::size_t at = 0; at < text.size();) {
    if (!rules.variables || !text.substr(at).starts_with("${")) {
      literal += Compile(text[at++], rules.wildcards);
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) {
      reason = "a variable is not closed";
      return std::nullopt;
    }
    const std::string_view inside = text.substr(at + 2, end - at - 2);
    at = end + 1;
    if (inside == "*" || inside == "?" || inside == "$") {
      literal += inside;
      continue;
    }
    std::optional<Variable> variable = ParseVariable(inside, reason);
    if (!variable) return std::nullopt;
    made.pieces_.emplace_back(std::exchange(literal, {}));
    made.pieces_.emplace_back(*std::move(variable));
  }
  if (made.pieces_.empty()) {
    made.text_ = std::move(literal);
    made.literal_prefix_ = std::min(made.text_.find(kAnyRun), made.text_.find(kAnyOne));
  } else {
    made.pieces_.emplace_back(std::move(literal));
  }
  return made;
}

std::optional<std::string_view> TextTemplate::Resolve(const AccessRequest& request, PolicyKind kind,
                                                      ResolvedText& room) const {
  if (pieces_.empty()) return text_;
  for (const Piece& piece : pieces_) {
    if (const auto* literal = std::get_if<std::string>(&piece)) {
      room.Append(*literal);
      continue;
    }
    const auto& variable = std::get<Variable>(piece);
    ValueBuffer buffer;
    std::optional<KeyValues> values;
    if (variable.key) values = KeyValues::Read(*variable.key, request, kind, buffer);
    if (values && values->multi_valued()) return std::nullopt;
    if (values && values->size() == 1) {
      // What is not UTF-8 could pass for a wildcard.
      if (HoldsMarker((*values)[0])) return std::nullopt;
      room.Append((*values)[0]);
    } else if (variable.fallback) {
      room.Append(*variable.fallback);
    } else {
      return std::nullopt;
    }
  }
  return room.text();
}

}  // namespace hallmark
