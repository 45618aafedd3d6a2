// Line ends are found with memchr and literals are skipped by their size, so that the cost of a
// message body does not depend on its length.
#include "connectors/imap/codec/framer.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "connectors/imap/codec/lexer.h"

namespace postferry::imap {
namespace {

constexpr std::size_t kKeptCapacity = std::size_t{256} << 10;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t line_end_size(std::string_view line) {
  if (!line.ends_with('\n')) return 0;
  return line.ends_with("\r\n") ? 2 : 1;
}

/// The word at the start of `text`, which is moved behind it and one space.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

/// Only data responses hold literals: `OK see {5}` is text for people.
bool may_hold_literals(std::string_view response) {
  if (take_word(response) != "*") return false;
  const std::string_view word = take_word(response);
  return !same_ascii(word, "OK") && !same_ascii(word, "NO") && !same_ascii(word, "BAD") &&
         !same_ascii(word, "BYE") && !same_ascii(word, "PREAUTH");
}

bool is_fetch(std::string_view response) {
  take_word(response);
  take_word(response);
  const std::string_view word = take_word(response);
  return same_ascii(word, "FETCH") || same_ascii(word, "UIDFETCH");
}

bool is_number_list(std::string_view response) {
  if (take_word(response) != "*") return false;
  const std::string_view word = take_word(response);
  return same_ascii(word, "SEARCH") || same_ascii(word, "SORT") || same_ascii(word, "ESEARCH") ||
         same_ascii(word, "VANISHED");
}

/// Whether a FETCH whose line ends like this, before a literal header, has just named a body
/// section. A section that itself holds literals is not seen as one, and stays in its response.
bool names_body_section(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  if (text.ends_with('>')) text = text.substr(0, text.rfind('<'));
  if (text.ends_with(']')) text = text.substr(0, text.rfind('['));
  const std::size_t before = text.find_last_of(" (");
  const std::string_view item = text.substr(before == text.npos ? 0 : before + 1);
  return same_ascii(item, "BODY") || same_ascii(item, "BINARY") || same_ascii(item, "BODY.PEEK") ||
         same_ascii(item, "RFC822") || same_ascii(item, "RFC822.HEADER") ||
         same_ascii(item, "RFC822.TEXT");
}

}  // namespace

Framer::Framer(const Limits& limits) : limits_(limits) {}

void Framer::feed(std::string_view received) {
  if (!fed_.empty()) throw std::logic_error("fed again before the bytes were used up");
  fed_ = received;
}

FrameEvent Framer::next() {
  if (finished_) begin_response();
  return open_ == Open::kStreamed ? next_of_literal() : next_of_text();
}

FrameEvent Framer::next_of_literal() {
  if (remaining_ == 0) {
    open_ = Open::kNone;
    return LiteralEnd{};
  }
  if (fed_.empty()) return NeedMore{};
  const std::string_view chunk =
      fed_.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, fed_.size())));
  fed_.remove_prefix(chunk.size());
  remaining_ -= chunk.size();
  return LiteralChunk{chunk};
}

FrameEvent Framer::next_of_text() {
  for (;;) {
    if (open_ == Open::kInlined && !take_inlined()) return NeedMore{};
    const std::string_view unseen = fed_.substr(scanned_);
    const void* found = unseen.empty() ? nullptr : std::memchr(unseen.data(), '\n', unseen.size());
    if (found == nullptr) {
      check_text_limit(partial_.size() + fed_.size() - inlined_bytes_);
      scanned_ = fed_.size();
      keep_unfinished();
      return NeedMore{};
    }
    scanned_ += static_cast<std::size_t>(static_cast<const char*>(found) - unseen.data()) + 1;
    check_text_limit(partial_.size() + scanned_ - inlined_bytes_);

    const std::string_view text = collect();
    const std::size_t line_end = line_end_size(text.substr(line_start_));
    const std::optional<Literal> literal = literal_at_end(text.substr(0, text.size() - line_end));
    if (!literal) return finish(line_end);
    check_literal(*literal);
    line_start_ = text.size();
    if (is_streamed(*literal)) return begin_streaming(literal->size);
    open_ = Open::kInlined;
    remaining_ = literal->size;
    inlined_bytes_ += static_cast<std::size_t>(literal->size);
    line_start_ += static_cast<std::size_t>(literal->size);
  }
}

/// True when the inlined literal is complete.
bool Framer::take_inlined() {
  const std::size_t taken =
      static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, fed_.size() - scanned_));
  scanned_ += taken;
  remaining_ -= taken;
  if (remaining_ > 0) {
    partial_.reserve(partial_.size() + scanned_ + static_cast<std::size_t>(remaining_));
    keep_unfinished();
    return false;
  }
  open_ = Open::kNone;
  return true;
}

FrameEvent Framer::begin_streaming(std::uint64_t size) {
  keep_unfinished();
  streamed_.push_back(partial_.size());
  open_ = Open::kStreamed;
  remaining_ = size;
  return LiteralBegin{{partial_, streamed_}, size};
}

FrameEvent Framer::finish(std::size_t line_end_bytes) {
  std::string_view text = collect();
  text.remove_suffix(line_end_bytes);
  if (partial_.empty()) fed_.remove_prefix(scanned_);
  scanned_ = 0;
  finished_ = true;
  return Frame{text, streamed_};
}

/// The literal whose header ends `text`, the response so far without its line end.
std::optional<Framer::Literal> Framer::literal_at_end(std::string_view text) const {
  std::string_view line = text.substr(line_start_);
  if (!line.ends_with('}') || !may_hold_literals(text)) return std::nullopt;
  line.remove_suffix(1);
  if (line.ends_with('+')) line.remove_suffix(1);
  const std::size_t after_digits = line.size();
  while (!line.empty() && is_digit(line.back())) line.remove_suffix(1);
  const std::size_t digits = after_digits - line.size();
  if (!line.ends_with('{')) return std::nullopt;
  line.remove_suffix(1);
  if (line.ends_with('~')) line.remove_suffix(1);
  // Inside an atom a brace is only a brace, as in the unquoted folder name `notes{1}`.
  constexpr std::string_view kBefore = " ()]>";
  const bool separated = line.empty() ? line_start_ > 0 : kBefore.find(line.back()) != kBefore.npos;
  if (!separated) return std::nullopt;
  if (digits == 0) fail("a literal without its size");
  const auto size = to_number64(text.substr(line_start_ + after_digits - digits, digits));
  if (!size) fail("a literal of impossible size");
  return Literal{*size, is_fetch(text) && names_body_section(line)};
}

bool Framer::is_streamed(const Literal& literal) const {
  return literal.body && literal.size > limits_.inline_body_bytes;
}

void Framer::check_literal(const Literal& literal) {
  if (++literals_ > limits_.literals) fail("too many literals in one response");
  if (is_streamed(literal)) {
    if (literal.size > limits_.streamed_literal_bytes) fail("a message literal above the limit");
    return;
  }
  const std::uint64_t most = literal.body
                                 ? std::max(limits_.inline_body_bytes, limits_.inline_literal_bytes)
                                 : limits_.inline_literal_bytes;
  if (literal.size > most) fail("a literal above the limit");
  if (literal.size > limits_.inline_total_bytes - inlined_bytes_) {
    fail("too many literal bytes in one response");
  }
}

void Framer::check_text_limit(std::size_t text_bytes) const {
  if (text_bytes <= limits_.line_bytes) return;
  constexpr std::size_t kLongestName = 16;
  std::string head = partial_.substr(0, kLongestName);
  head += fed_.substr(0, kLongestName);
  if (!is_number_list(head) || text_bytes > limits_.number_line_bytes) {
    fail("a line above the limit");
  }
}

/// The response so far in one piece: in place if it lies in fed_, else together in partial_.
std::string_view Framer::collect() {
  if (partial_.empty()) return fed_.substr(0, scanned_);
  keep_unfinished();
  return partial_;
}

void Framer::keep_unfinished() {
  partial_.append(fed_.substr(0, scanned_));
  fed_.remove_prefix(scanned_);
  scanned_ = 0;
}

void Framer::begin_response() {
  finished_ = false;
  if (partial_.capacity() > kKeptCapacity) {
    partial_ = std::string();
  } else {
    partial_.clear();
  }
  streamed_.clear();
  line_start_ = inlined_bytes_ = literals_ = 0;
}

bool Framer::idle() const {
  return fed_.empty() && (finished_ || (partial_.empty() && open_ == Open::kNone));
}

void Framer::literal_bytes_read(std::uint64_t count) {
  if (open_ != Open::kStreamed || !fed_.empty() || count > remaining_) {
    throw std::logic_error("literal bytes read where no literal is waiting for them");
  }
  remaining_ -= count;
}

std::string_view Framer::take_rest() { return std::exchange(fed_, {}); }

void Framer::discard() {
  fed_ = {};
  scanned_ = 0;
  open_ = Open::kNone;
  remaining_ = 0;
  begin_response();
}

void Framer::fail(const std::string& problem) const {
  std::string seen = partial_;
  seen += fed_.substr(0, scanned_ == 0 ? fed_.size() : scanned_);
  throw ProtocolError(problem, seen, seen.size());
}

}  // namespace postferry::imap
