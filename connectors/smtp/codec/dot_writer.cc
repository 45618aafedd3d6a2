#include "connectors/smtp/codec/dot_writer.h"

namespace postferry::smtp {

void DotWriter::write(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    if (line_begins_ && bytes.front() == '.') out += '.';
    line_begins_ = false;
    const std::size_t newline = bytes.find('\n');
    const std::string_view line = bytes.substr(0, newline);
    out += line;
    if (!line.empty()) last_ = line.back();
    if (newline == std::string_view::npos) return;
    if (last_ != '\r') out += '\r';
    out += '\n';
    last_ = '\n';
    line_begins_ = true;
    bytes.remove_prefix(newline + 1);
  }
}

void DotWriter::end(std::string& out) {
  // A CR that ends the message is the first half of its last line end.
  if (!line_begins_) out += last_ == '\r' ? "\n" : "\r\n";
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
