// Writes JSON text piece by piece. Any bytes may be given as a string: what is no UTF-8 becomes
// U+FFFD, so that the output can always be read; and what commands a terminal, or turns text
// around, is escaped, so that it can be looked at.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace postferry::cli {

/// `key` is left empty inside arrays and for the outermost value.
class JsonWriter {
 public:
  void begin_object(std::string_view key = {});
  void end_object();
  void begin_array(std::string_view key = {});
  void end_array();
  void string(std::string_view key, std::string_view value);
  void number(std::string_view key, std::uint64_t value);
  void number(std::string_view key, std::int64_t value);
  /// With three digits after the point; what is not finite is written as 0.
  void number(std::string_view key, double value);
  void boolean(std::string_view key, bool value);
  void null(std::string_view key);

  /// What has been written; complete when every begin has had its end.
  const std::string& text() const { return text_; }

 private:
  void prepare(std::string_view key);
  void quote(std::string_view value);

  std::string text_;
  std::vector<bool> has_members_;  // of each open object or array
};

}  // namespace postferry::cli
