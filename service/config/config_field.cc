#include "service/config/config_field.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <numeric>
#include <optional>

namespace hallmark::service {
namespace {

struct SocketAddress {
  bool loopback = false;
};

// An IP address literal and a port. Names are refused: what they resolve to can change under us.
std::optional<SocketAddress> ParseAddress(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const std::string port_text = text.substr(colon + 1);
  unsigned port = 0;
  const auto [end, error] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (error != std::errc() || end != port_text.data() + port_text.size() || port > 65'535) {
    return std::nullopt;
  }
  std::string host = text.substr(0, colon);
  if (in_addr v4{}; inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    return SocketAddress{.loopback = (ntohl(v4.s_addr) >> 24) == 127};
  }
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return std::nullopt;
  host = host.substr(1, host.size() - 2);
  in6_addr v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return std::nullopt;
  return SocketAddress{.loopback = IN6_IS_ADDR_LOOPBACK(&v6) != 0};
}

std::string_view TypeName(toml::node_type type) {
  switch (type) {
    case toml::node_type::none:
      return "nothing";
    case toml::node_type::table:
      return "a section";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time";
    case toml::node_type::date_time:
      return "a date with time";
  }
  return "unknown";
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row.back();
}

bool ContainsIgnoringCase(std::string_view text, std::string_view wanted) {
  return std::search(text.begin(), text.end(), wanted.begin(), wanted.end(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         }) != text.end();
}

}  // namespace

void Mistakes::Add(std::int64_t line, std::string_view key, std::string_view reason) {
  std::string text = file_ + ":";
  if (line > 0) text += std::to_string(line) + ":";
  if (!key.empty()) text.append(" ").append(key).append(":");
  errors_.push_back({text.append(" ").append(reason)});
}

void Field::Mistake(std::string_view reason) {
  mistakes_.Add(node_.source().begin.line, name_, reason);
}

const std::string* Field::AsText() {
  if (const auto* text = node_.as_string()) {
    // Files and addresses would be read up to there only.
    if (text->get().find('\0') == std::string::npos) return &text->get();
    Mistake("must not hold a NUL character; remove it");
    return nullptr;
  }
  Mistake("must be a string in quotes, is " + std::string(TypeName(node_.type())));
  return nullptr;
}

bool Field::Integer(std::int64_t lowest, std::int64_t highest, std::int64_t& target) {
  const auto* value = node_.as_integer();
  if (value == nullptr) {
    Mistake("must be an integer without quotes, is " + std::string(TypeName(node_.type())));
    return false;
  }
  if (value->get() < lowest || value->get() > highest) {
    Mistake("must be from " + std::to_string(lowest) + " to " + std::to_string(highest) + ", is " +
            std::to_string(value->get()));
    return false;
  }
  target = value->get();
  return true;
}

void Field::Text(std::string& target) {
  const std::string* text = AsText();
  if (text == nullptr) return;
  if (text->empty()) return Mistake("must not be empty; give a value or leave the key out");
  target = *text;
}

void Field::OptionalText(std::string& target) {
  if (const std::string* text = AsText()) target = *text;
}

void Field::ArnPart(std::string& target) {
  const std::string* text = AsText();
  if (text == nullptr) return;
  const bool valid = !text->empty() && std::all_of(text->begin(), text->end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!valid)
    return Mistake("must be lower-case letters, digits and \"-\", since it is part of ARNs");
  target = *text;
}

void Field::Path(std::filesystem::path& target) {
  std::string text;
  Text(text);
  if (!text.empty()) target = text;
}

void Field::OptionalPath(std::filesystem::path& target) {
  if (const std::string* text = AsText()) target = *text;
}

void Field::Flag(bool& target) {
  if (const auto* value = node_.as_boolean()) {
    target = value->get();
  } else {
    Mistake("must be true or false, is " + std::string(TypeName(node_.type())));
  }
}

void Field::Count(std::size_t& target, std::int64_t lowest, std::int64_t highest) {
  std::int64_t value = 0;
  if (Integer(lowest, highest, value)) target = static_cast<std::size_t>(value);
}

void Field::Milliseconds(std::chrono::milliseconds& target, std::int64_t lowest,
                         std::int64_t highest) {
  std::int64_t value = 0;
  if (Integer(lowest, highest, value)) target = std::chrono::milliseconds(value);
}

void Field::Address(std::string& target) {
  const std::string* text = AsText();
  if (text == nullptr) return;
  if (!ParseAddress(*text)) {
    return Mistake(
        "must be an IP address with a port of 0 to 65535, like \"127.0.0.1:9443\" or "
        "\"[::1]:9443\"");
  }
  target = *text;
}

void Field::OptionalAddress(std::string& target) {
  const std::string* text = AsText();
  if (text == nullptr) return;
  if (text->empty()) {
    target.clear();
  } else {
    Address(target);
  }
}

void Field::OptionalLoopbackAddress(std::string& target) {
  const std::string* text = AsText();
  if (text == nullptr) return;
  const auto address = ParseAddress(*text);
  if (!text->empty() && (!address || !address->loopback)) {
    return Mistake(
        "must be a loopback address with a port, like \"127.0.0.1:9464\", or empty for none: there "
        "is no access control on it");
  }
  target = *text;
}

void Field::Choice(std::span<const std::string_view> choices, std::size_t& target) {
  const std::string* text = AsText();
  if (text == nullptr) return;
  const auto found = std::find(choices.begin(), choices.end(), *text);
  if (found != choices.end()) {
    target = static_cast<std::size_t>(found - choices.begin());
    return;
  }
  std::string list;
  for (const std::string_view choice : choices) {
    list += (list.empty() ? "\"" : ", \"") + std::string(choice) + "\"";
  }
  Mistake("must be one of " + list + DidYouMean(*text, choices));
}

void Field::TokenUri(std::string& target) {
  const std::string* text = AsText();
  if (text == nullptr) return;
  // The value is never repeated in a mistake: it may hold the PIN.
  if (!text->starts_with("pkcs11:")) {
    return Mistake("must be a PKCS#11 URI, like \"pkcs11:token=hallmark?pin-source=user.pin\"");
  }
  if (ContainsIgnoringCase(*text, "pin-value")) {
    return Mistake(
        "must not hold the PIN itself (pin-value); put the PIN into a file and name it by "
        "pin-source");
  }
  target = *text;
}

std::string DidYouMean(std::string_view name, std::span<const std::string_view> known) {
  std::string_view nearest;
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string_view candidate : known) {
    // "warn" for "warning" is near, however much is left out.
    const bool shortened = name.size() >= 3 && candidate.starts_with(name);
    const std::size_t distance = shortened ? 1 : EditDistance(name, candidate);
    if (distance < least && distance < candidate.size()) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest.empty() ? "" : "; did you mean \"" + std::string(nearest) + "\"?";
}

}  // namespace hallmark::service
