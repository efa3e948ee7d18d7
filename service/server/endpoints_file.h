// Tells other processes where the daemon listens.
#pragma once

#include "keystate/result.h"

#include <filesystem>
#include <string>

namespace hallmark::service {

struct Endpoints {
  std::string grpc;     // host:port
  std::string aws;      // host:port; empty: not served
  std::string metrics;  // host:port; empty: not served
  std::string admin;    // path of the Unix socket
};

// A JSON file: {"grpc": "host:port", "aws": "https://host:port", "metrics": "http://…/metrics",
// "admin": "path", "pid": n}.
class EndpointsFile {
 public:
  // Readers find the whole file or none.
  //
  // Errors: one line that names the file, the reason and the remedy.
  Result<void, std::string> Write(const std::filesystem::path& file, const Endpoints& endpoints);
  // Does nothing if nothing was written.
  void Remove();

 private:
  std::filesystem::path file_;
};

}  // namespace hallmark::service
