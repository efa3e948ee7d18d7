#include "service/cli/diagnosis_text.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace hallmark::cli {
namespace {

using pkcs11::Diagnosis;
using pkcs11::Finding;

std::string Conclusion(const Diagnosis& diagnosis) {
  if (diagnosis.lets_keys_out()) {
    return "NOT ENFORCING: whoever may log in to this token can take keys out of it";
  }
  if (!diagnosis.healthy()) return "NOT FIT: see what fails";
  if (!diagnosis.makes_keys()) {
    return "makes no keys: those that its maker's tools put there may be adopted";
  }
  return "fit for keys";
}

// "known_answer" of "known answer".
std::string Word(const char* title) {
  std::string word = title;
  std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) {
    return c == ' ' ? '_' : static_cast<char>(std::tolower(c));
  });
  return word;
}

}  // namespace

std::string DescribeDiagnosis(const std::string& token_id, const Diagnosis& diagnosis) {
  const pkcs11::TokenIdentity& is = diagnosis.identity;
  std::ostringstream text;
  text << "token." << token_id << ": " << is.label << ", serial " << is.serial << '\n'
       << "  " << is.manufacturer << ' ' << is.model << ' ' << is.firmware << ", driver "
       << is.library << "\n\n";
  for (const Finding& finding : diagnosis.findings) {
    std::ostringstream line;
    line << "  " << std::left << std::setw(11) << Title(finding.verdict) << std::setw(26)
         << Title(finding.subject) << std::setw(10) << finding.of << finding.detail;
    std::string trimmed = line.str();
    trimmed.erase(trimmed.find_last_not_of(' ') + 1);
    text << trimmed << '\n';
  }
  text << '\n';
  if (diagnosis.rates) {
    text << "  " << std::llround(diagnosis.rates->one_thread_per_second)
         << " MACs per second in one thread, " << std::llround(diagnosis.rates->threads_per_second)
         << " in " << diagnosis.rates->threads << "; "
         << std::chrono::duration_cast<std::chrono::microseconds>(diagnosis.find_cost).count()
         << " us to find one of " << diagnosis.secret_keys << " keys\n";
  }
  text << "  " << Conclusion(diagnosis) << '\n';
  return text.str();
}

nlohmann::ordered_json ToJson(const std::string& token_id, const Diagnosis& diagnosis) {
  const pkcs11::TokenIdentity& is = diagnosis.identity;
  nlohmann::ordered_json json{{"Token", token_id},         {"Label", is.label},
                              {"SerialNumber", is.serial}, {"Manufacturer", is.manufacturer},
                              {"Model", is.model},         {"FirmwareVersion", is.firmware},
                              {"Library", is.library}};
  nlohmann::ordered_json& findings = json["Findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : diagnosis.findings) {
    nlohmann::ordered_json row{{"Subject", Word(Title(finding.subject))},
                               {"Verdict", Word(Title(finding.verdict))}};
    if (!finding.of.empty()) row["KeySpec"] = finding.of;
    if (!finding.detail.empty()) row["Detail"] = finding.detail;
    findings.push_back(std::move(row));
  }
  if (diagnosis.rates) {
    json["MacsPerSecondOneThread"] = std::llround(diagnosis.rates->one_thread_per_second);
    json["MacsPerSecondThreads"] = std::llround(diagnosis.rates->threads_per_second);
    json["Threads"] = diagnosis.rates->threads;
    json["FindMicroseconds"] =
        std::chrono::duration_cast<std::chrono::microseconds>(diagnosis.find_cost).count();
  }
  json["SecretKeys"] = diagnosis.secret_keys;
  json["Enforces"] = diagnosis.enforces();
  json["LetsKeysOut"] = diagnosis.lets_keys_out();
  json["Conclusion"] = Conclusion(diagnosis);
  return json;
}

}  // namespace hallmark::cli
