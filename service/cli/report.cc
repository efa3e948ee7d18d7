#include "service/cli/report.h"

#include <iostream>

namespace hallmark::cli {

ExitCode Report(const CallFailure& failure, std::string_view operation) {
  if (failure.exception.empty()) return Report(failure.message);
  std::cerr << "\nAn error occurred (" << failure.exception << ") when calling the " << operation
            << " operation: " << failure.message << '\n';
  return ExitCode::kRefused;
}

ExitCode Report(const std::string& failure) {
  std::cerr << "hallmark: error: " << failure << '\n';
  return ExitCode::kFailed;
}

}  // namespace hallmark::cli
