#include "connectors/smtp/codec/dot_writer.h"

namespace postferry::smtp {

void DotWriter::write(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (last_ == '\r' && bytes.front() != '\n') end_line(out);
    if (line_begins_ && bytes.front() == '.') out += '.';
    line_begins_ = false;
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::string_view line = bytes.substr(0, end);
    out += line;
    if (!line.empty()) last_ = line.back();
    if (end == std::string_view::npos) return;
    if (bytes[end] == '\r') {
      out += last_ = '\r';  // what comes next says whether it is the half of a line end
    } else {
      end_line(out);
    }
    bytes.remove_prefix(end + 1);
  }
}

void DotWriter::end_line(std::string& out) {
  out += last_ == '\r' ? "\n" : "\r\n";
  last_ = '\n';
  line_begins_ = true;
}

void DotWriter::end(std::string& out) {
  // A CR that ends the message is the first half of its last line end.
  if (!line_begins_) end_line(out);
  out += ".\r\n";
}

void BodyScan::update(std::string_view bytes) {
  for (const char c : bytes) {
    if (c == '\n') {
      line_ = 0;
    } else if (c != '\r') {
      ++line_;
    }
    binary_ |= c == '\0' || line_ > kMaxTextLine;
    eightbit_ |= static_cast<unsigned char>(c) >= 0x80;
  }
  if (!bytes.empty()) last_ = bytes.back();
}

}  // namespace postferry::smtp
