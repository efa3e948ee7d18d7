#include "service/server/endpoints_file.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <fstream>
#include <system_error>
#include <utility>

namespace hallmark::service {

Result<void, std::string> EndpointsFile::Write(const std::filesystem::path& file,
                                               const Endpoints& endpoints) {
  nlohmann::json json{{"grpc", endpoints.grpc}, {"admin", endpoints.admin}, {"pid", getpid()}};
  if (!endpoints.aws.empty()) json["aws"] = "https://" + endpoints.aws;
  if (!endpoints.metrics.empty()) json["metrics"] = "http://" + endpoints.metrics + "/metrics";

  std::filesystem::path aside = file;
  aside += ".new";
  std::ofstream out(aside, std::ios::trunc);
  out << json.dump(2) << '\n';
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(aside, file, error);
  if (!out || error) {
    return Unexpected<std::string>("endpoints_file " + file.string() + ": cannot be written" +
                                   (error ? ": " + error.message() : "") + "; check its folder");
  }
  file_ = file;
  return {};
}

void EndpointsFile::Remove() {
  if (file_.empty()) return;
  std::error_code ignored;
  std::filesystem::remove(std::exchange(file_, {}), ignored);
}

}  // namespace hallmark::service
