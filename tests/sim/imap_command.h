// Commands of an IMAP client, out of its bytes, as a strict server reads them (RFC 3501 §9): a
// grammar of its own, so that an error of the client's codec cannot hide behind itself.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace postferry::sim {

struct Token {
  enum class Kind { atom, quoted, literal, open, close };
  Kind kind = Kind::atom;
  std::string text;

  bool is_string() const { return kind == Kind::quoted || kind == Kind::literal; }
};

struct ClientCommand {
  std::string tag;
  std::string verb;  // upper case; "UID FETCH" is one
  std::vector<Token> arguments;
  std::size_t line_octets = 0;  // the longest line, literals left out
};

/// A literal is announced and waits for the server's word; `so_far` is what came before.
struct LiteralWaits {
  std::string so_far;
  std::size_t size = 0;
};
/// It breaks the grammar; the session is beyond help.
struct Nonsense {
  std::string text;
};

class CommandReader {
 public:
  void feed(std::string_view bytes) { in_.append(bytes); }
  /// Nothing: more bytes are needed. LiteralWaits comes once; then go_ahead() or refuse().
  std::optional<std::variant<ClientCommand, LiteralWaits, Nonsense>> next();
  void go_ahead() { waiting_ = false; }
  /// The command so far is forgotten.
  void refuse();
  bool plus_used() const { return plus_used_; }
  /// The largest literal that did not wait.
  std::size_t largest_unasked() const { return largest_unasked_; }

 private:
  struct Part {
    std::string line;
    std::optional<std::string> literal;
  };
  std::variant<ClientCommand, LiteralWaits, Nonsense> finish();

  std::string in_;
  std::vector<Part> parts_;
  std::optional<std::size_t> literal_due_;
  bool waiting_ = false;
  bool plus_used_ = false;
  std::size_t largest_unasked_ = 0;
};

std::string upper(std::string_view text);

}  // namespace postferry::sim
