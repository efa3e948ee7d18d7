// Finds the end of a request's head while it arrives.
#pragma once

#include <cstddef>
#include <string_view>

namespace hallmark::http_front {

// Begins with bytes and lines of nobody in particular, so it allows nothing that two readers could
// read in two ways: every line ends with CR LF and nowhere else is either of them, no line goes on
// in the next one (obs-fold), and no NUL.
class HeadScanner {
 public:
  enum class Found { kNothingYet, kHead, kMalformed, kTooLong };

  HeadScanner(std::size_t max_bytes, std::size_t max_lines)
      : max_bytes_(max_bytes), max_lines_(max_lines) {}

  // `received` is everything since the head began; what an earlier call has seen is not looked at
  // again, so a head that comes byte by byte costs no more than one that comes at once.
  Found Scan(std::string_view received);

  // Of the head with the empty line at its end, once it is found.
  std::size_t head_bytes() const { return seen_; }

  // For the next head.
  void Reset() { *this = HeadScanner(max_bytes_, max_lines_); }

 private:
  std::size_t max_bytes_;
  std::size_t max_lines_;
  std::size_t seen_ = 0;
  std::size_t line_begin_ = 0;
  std::size_t lines_ = 0;  // that have ended
};

}  // namespace hallmark::http_front
