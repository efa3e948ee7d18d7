#include "service/http/head_scanner.h"

namespace hallmark::http_front {

HeadScanner::Found HeadScanner::Scan(std::string_view received) {
  while (seen_ < received.size()) {
    if (seen_ == max_bytes_) return Found::kTooLong;
    const char c = received[seen_];
    const bool after_cr = seen_ > line_begin_ && received[seen_ - 1] == '\r';
    if (c == '\0' || (c == '\n') != after_cr) return Found::kMalformed;
    if (seen_ == line_begin_ && (c == ' ' || c == '\t')) return Found::kMalformed;
    ++seen_;
    if (c != '\n') continue;
    const bool empty_line = seen_ - line_begin_ == 2;
    if (empty_line) return lines_ == 0 ? Found::kMalformed : Found::kHead;
    if (++lines_ > max_lines_) return Found::kTooLong;
    line_begin_ = seen_;
  }
  return Found::kNothingYet;
}

}  // namespace hallmark::http_front
