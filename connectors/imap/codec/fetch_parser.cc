// FETCH: the response that carries the mail. Known items are read, all others skipped by shape.
#include <algorithm>

#include "connectors/imap/codec/parsers.h"

namespace postferry::imap {
namespace {

FetchSection::Form form_of(const StringToken& token) {
  switch (token.form) {
    case StringToken::Form::kNil:
      return FetchSection::Form::kNil;
    case StringToken::Form::kLiteral:
      return FetchSection::Form::kLiteral;
    case StringToken::Form::kStreamed:
      return FetchSection::Form::kStreamed;
    case StringToken::Form::kAtom:
    case StringToken::Form::kQuoted:
      break;
  }
  return FetchSection::Form::kString;
}

class FetchParser {
 public:
  FetchParser(Lexer& lexer, const Limits& limits) : lexer_(lexer), limits_(limits) {}

  FetchData parse(bool head) {
    lexer_.spaces();
    lexer_.expect('(');
    for (lexer_.spaces(); !lexer_.accept(')'); lexer_.spaces()) {
      const std::size_t before = data_.sections.size();
      item();
      if (!head || !lexer_.at_end()) continue;
      // The literal that is coming must be the value of the item just read.
      if (data_.sections.size() > before &&
          data_.sections.back().form == FetchSection::Form::kStreamed) {
        return std::move(data_);
      }
      lexer_.fail("a body literal that belongs to no section");
    }
    expect_end(lexer_);
    if (head) lexer_.fail("expected a body literal");
    return std::move(data_);
  }

 private:
  void item() {
    const std::string_view name = lexer_.item_name();
    if (lexer_.accept('[')) return bracketed_item(name);
    if (name.empty()) lexer_.fail("expected the name of an item");
    lexer_.spaces();
    if (same_ascii(name, "UID")) {
      data_.uid = lexer_.number32();
    } else if (same_ascii(name, "FLAGS")) {
      data_.flags = parse_flag_list(lexer_);
    } else if (same_ascii(name, "RFC822.SIZE")) {
      data_.rfc822_size = lexer_.tolerant_number();
    } else if (same_ascii(name, "INTERNALDATE")) {
      data_.internal_date = parse_internal_date(lexer_.string().bytes);
    } else if (same_ascii(name, "MODSEQ")) {
      data_.modseq = parenthesised_number();
    } else if (same_ascii(name, "RFC822")) {
      section("RFC822", {});
    } else if (same_ascii(name, "RFC822.HEADER")) {
      section("RFC822", "HEADER");
    } else if (same_ascii(name, "RFC822.TEXT")) {
      section("RFC822", "TEXT");
    } else if (same_ascii(name, "EMAILID")) {
      data_.email_id = object_id();
    } else if (same_ascii(name, "X-GM-MSGID")) {
      data_.gm_msgid = lexer_.tolerant_number();
    } else if (same_ascii(name, "X-GM-LABELS")) {
      data_.gm_labels = parse_flag_list(lexer_);
    } else {
      lexer_.skip_value();
    }
  }

  void bracketed_item(std::string_view name) {
    const std::string_view inside = lexer_.section();
    std::optional<std::uint64_t> origin;
    if (lexer_.accept('<')) {
      origin = lexer_.number64();
      // Some servers repeat the length that was asked for as well.
      if (lexer_.accept('.')) lexer_.number64();
      lexer_.expect('>');
    }
    lexer_.spaces();
    if (same_ascii(name, "BODY") || same_ascii(name, "BODY.PEEK")) {
      section("BODY", inside, origin);
    } else if (same_ascii(name, "BINARY")) {
      section("BINARY", inside, origin);
    } else {
      lexer_.skip_value();
    }
  }

  void section(std::string_view item, std::string_view name,
               std::optional<std::uint64_t> origin = std::nullopt) {
    if (data_.sections.size() == limits_.literals) lexer_.fail("too many body sections");
    const StringToken token = lexer_.string();
    data_.sections.push_back({std::string(item), upper_ascii(name), origin, form_of(token),
                              std::string(token.bytes), token.size});
  }

  std::optional<std::uint64_t> parenthesised_number() {
    if (!lexer_.accept('(')) return lexer_.tolerant_number();
    lexer_.spaces();
    const std::uint64_t number = lexer_.number64();
    lexer_.spaces();
    lexer_.expect(')');
    return number;
  }

  std::optional<std::string> object_id() {
    std::optional<std::string> id;
    const auto read = [&] {
      const StringToken token = lexer_.string();
      if (token.form != StringToken::Form::kNil) id = std::string(token.bytes);
    };
    if (lexer_.peek() == '(') {
      lexer_.list(read);
    } else {
      read();
    }
    return id;
  }

  Lexer& lexer_;
  const Limits& limits_;
  FetchData data_;
};

}  // namespace

FetchData parse_fetch(Lexer& lexer, const Limits& limits, bool head) {
  return FetchParser(lexer, limits).parse(head);
}

std::vector<std::string> parse_flag_list(Lexer& lexer) {
  std::vector<std::string> flags;
  if (lexer.peek() != '(') {
    if (lexer.string().form != StringToken::Form::kNil) lexer.fail("expected a list");
    return flags;
  }
  lexer.list([&] {
    if (flags.empty()) flags.reserve(4);
    const StringToken token = lexer.string();
    // A keyword may be called NIL.
    flags.emplace_back(token.form == StringToken::Form::kNil ? "NIL" : token.bytes);
  });
  return flags;
}

void expect_end(Lexer& lexer) {
  lexer.spaces();
  if (!lexer.at_end()) lexer.fail("expected the end of the response");
}

}  // namespace postferry::imap
