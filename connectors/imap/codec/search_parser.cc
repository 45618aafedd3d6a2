// SEARCH, ESEARCH and VANISHED: responses that are numbers, up to millions of them.
#include <utility>

#include "connectors/imap/codec/parsers.h"

namespace postferry::imap {
namespace {

SequenceSet parse_set(Lexer& lexer, const Limits& limits) {
  auto set = SequenceSet::parse(lexer.atom(), limits.set_ranges);
  if (!set) lexer.fail("expected a set of numbers before this");
  return std::move(*set);
}

/// `(MODSEQ 917162500)`, at the end of a SEARCH.
std::uint64_t parse_modseq(Lexer& lexer) {
  lexer.expect('(');
  lexer.spaces();
  if (!same_ascii(lexer.atom(), "MODSEQ")) lexer.fail("expected MODSEQ before this");
  lexer.spaces();
  const std::uint64_t modseq = lexer.number64();
  lexer.spaces();
  lexer.expect(')');
  return modseq;
}

/// `(TAG "A282")`.
std::string parse_correlator(Lexer& lexer) {
  std::string tag;
  lexer.list([&] {
    const bool is_tag = same_ascii(lexer.atom(), "TAG");
    lexer.spaces();
    if (is_tag) {
      tag = lexer.string().bytes;
    } else {
      lexer.skip_value();
    }
  });
  return tag;
}

/// `(1:100 5,7:9)`, or NIL instead of the set.
SequenceSet parse_partial(Lexer& lexer, const Limits& limits) {
  lexer.expect('(');
  lexer.spaces();
  lexer.atom();
  lexer.spaces();
  SequenceSet set;
  Lexer attempt = lexer;
  if (attempt.string().form == StringToken::Form::kNil) {
    lexer = attempt;
  } else {
    set = parse_set(lexer, limits);
  }
  lexer.spaces();
  lexer.expect(')');
  return set;
}

void parse_result(Lexer& lexer, const Limits& limits, EsearchData& data) {
  const std::string_view name = lexer.atom();
  if (same_ascii(name, "UID")) {
    data.uid = true;
    return;
  }
  lexer.spaces();
  if (same_ascii(name, "ALL")) {
    data.all = parse_set(lexer, limits);
  } else if (same_ascii(name, "COUNT")) {
    data.count = lexer.number32();
  } else if (same_ascii(name, "MIN")) {
    data.min = lexer.number32();
  } else if (same_ascii(name, "MAX")) {
    data.max = lexer.number32();
  } else if (same_ascii(name, "MODSEQ")) {
    data.modseq = lexer.number64();
  } else if (same_ascii(name, "PARTIAL")) {
    data.partial = parse_partial(lexer, limits);
  } else {
    lexer.skip_value();
  }
}

}  // namespace

SearchData parse_search(Lexer& lexer) {
  SearchData data;
  for (lexer.spaces(); !lexer.at_end(); lexer.spaces()) {
    if (lexer.peek() == '(') {
      data.modseq = parse_modseq(lexer);
    } else {
      data.numbers.push_back(lexer.number32());
    }
  }
  return data;
}

EsearchData parse_esearch(Lexer& lexer, const Limits& limits) {
  EsearchData data;
  lexer.spaces();
  if (lexer.peek() == '(') data.tag = parse_correlator(lexer);
  for (lexer.spaces(); !lexer.at_end(); lexer.spaces()) parse_result(lexer, limits, data);
  return data;
}

VanishedData parse_vanished(Lexer& lexer, const Limits& limits) {
  VanishedData data;
  lexer.spaces();
  if (lexer.peek() == '(') {
    lexer.list([&] { data.earlier = same_ascii(lexer.atom(), "EARLIER") || data.earlier; });
    lexer.spaces();
  }
  data.uids = parse_set(lexer, limits);
  expect_end(lexer);
  return data;
}

}  // namespace postferry::imap
