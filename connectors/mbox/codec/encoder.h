// A message as an mbox keeps it: lines that end in LF (or, where it has line ends of its own kind,
// just its bytes), quoted as mboxrd does. In pieces of any size.
#pragma once

#include <string>
#include <string_view>

#include "connectors/mbox/codec/from_line.h"
#include "connectors/mbox/codec/quoting.h"

namespace postferry::mbox {

/// Which form keeps a message: lines, unless it has an LF without a CR.
class FormFinder {
 public:
  void feed(std::string_view piece);
  Form form() const { return bare_ ? Form::raw : Form::lines; }

 private:
  char last_ = '\0';
  bool bare_ = false;
};

class Encoder {
 public:
  explicit Encoder(Form form) : form_(form), quoting_(Quoting::Way::add) {}
  void feed(std::string_view piece, std::string& out);
  /// The rest, and what ends a message: a line end where it has none, and an empty line.
  void finish(std::string& out);

 private:
  Form form_;
  Quoting quoting_;
  bool held_ = false;  // a CR that an LF may follow
  char last_ = '\n';
};

}  // namespace postferry::mbox
