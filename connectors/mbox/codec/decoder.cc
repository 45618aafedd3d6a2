#include "connectors/mbox/codec/decoder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace postferry::mbox {
namespace {

constexpr std::size_t kMostFields = 1 << 20;
constexpr std::size_t kMostName = 32;
/// As we write them, in this order, at the top.
constexpr std::array<std::string_view, 5> kOurs{"x-imapbase", "x-uid", "status", "x-status",
                                                "x-keywords"};
constexpr std::array<std::string_view, 2> kGoogles{"x-gm-thrid", "x-gmail-labels"};
constexpr std::array<std::string_view, 5> kOthers{"x-imap", "content-length", "x-mozilla-status",
                                                  "x-mozilla-status2", "x-mozilla-keys"};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// The name of a field at the start of a line; empty where there is none.
std::string name_of(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return {};
  std::string name = lower(line.substr(0, colon));
  while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.pop_back();
  return name;
}

/// The place among ours, from 1; 0 for another.
std::size_t rank_of(std::string_view line) {
  const std::string name = name_of(line);
  const auto at = std::ranges::find(kOurs, name);
  return at == kOurs.end() ? 0 : static_cast<std::size_t>(at - kOurs.begin()) + 1;
}

template <class Number>
std::optional<Number> number_at(std::string_view& text, int base = 10) {
  const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
  text.remove_prefix(begin);
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// X-Mozilla-Status, a hexadecimal number.
unsigned thunderbirds(const std::string& fields) {
  const std::optional<std::string> value = mail::find_field(fields, "X-Mozilla-Status");
  if (!value) return 0;
  std::string_view text = *value;
  return number_at<unsigned>(text, 16).value_or(0);
}

}  // namespace

bool is_own_field(std::string_view name) {
  const std::string small = lower(name);
  return std::ranges::find(kOurs, small) != kOurs.end() ||
         std::ranges::find(kOthers, small) != kOthers.end();
}

bool is_google_field(std::string_view name) {
  return std::ranges::find(kGoogles, lower(name)) != kGoogles.end();
}

std::optional<std::string> Envelope::gmail_labels() const {
  return mail::find_field(fields, "X-Gmail-Labels");
}

std::optional<std::uint32_t> Envelope::uid() const {
  const std::optional<std::string> value = mail::find_field(fields, "X-UID");
  if (!value) return std::nullopt;
  std::string_view text = *value;
  const auto uid = number_at<std::uint32_t>(text);
  return uid && *uid > 0 && text.empty() ? uid : std::nullopt;
}

std::optional<Envelope::Base> Envelope::base() const {
  std::optional<std::string> value = mail::find_field(fields, "X-IMAPbase");
  if (!value) value = mail::find_field(fields, "X-IMAP");
  if (!value) return std::nullopt;
  std::string_view text = *value;
  const auto validity = number_at<std::uint32_t>(text), last = number_at<std::uint32_t>(text);
  if (!validity || *validity == 0 || !last) return std::nullopt;
  mail::HeaderScan scan;
  scan.x_keywords = std::string(text);
  return Base{*validity, *last, mail::keywords(scan)};
}

mail::StatusFlags Envelope::flags() const {
  mail::StatusFlags flags = mail::status_flags(mail::scan_header(fields));
  const unsigned more = thunderbirds(fields);
  flags.seen = flags.seen || (more & 0x0001) != 0;
  flags.answered = flags.answered || (more & 0x0002) != 0;
  flags.flagged = flags.flagged || (more & 0x0004) != 0;
  flags.deleted = flags.deleted || (more & 0x0008) != 0;  // expunged, not yet compacted
  return flags;
}

std::vector<std::string> Envelope::keywords() const {
  mail::HeaderScan scan = mail::scan_header(fields);
  std::vector<std::string> out = mail::keywords(scan);
  scan.x_keywords = mail::find_field(fields, "X-Mozilla-Keys");
  for (std::string& word : mail::keywords(scan)) out.push_back(std::move(word));
  if ((thunderbirds(fields) & 0x1000) != 0) out.push_back("$Forwarded");
  return out;
}

void Decoder::feed(std::string_view piece, std::string& out) {
  while (!piece.empty()) {
    if (at_start_) {
      // A CR before the LF of an empty line is kept back with it.
      const char c = piece.front();
      if (c == '\r' && blank_ != "\r") {
        if (!blank_.empty()) line_end(std::exchange(blank_, {}), out);
        blank_ = "\r";
        piece.remove_prefix(1);
        continue;
      }
      if (c == '\n') {
        if (blank_.ends_with('\n')) line_end(std::exchange(blank_, {}), out);
        blank_ += '\n';
        piece.remove_prefix(1);
        continue;
      }
      if (!blank_.empty()) line_end(std::exchange(blank_, {}), out);
      at_start_ = false;
    }
    const std::size_t end = piece.find('\n');
    const std::size_t taken = end == std::string_view::npos ? piece.size() : end + 1;
    header(piece.substr(0, taken), out);
    piece.remove_prefix(taken);
    at_start_ = end != std::string_view::npos;
  }
}

/// An empty line (or a lone CR at the start of one) that something follows.
void Decoder::line_end(std::string_view end, std::string& out) {
  if (end.ends_with('\n')) in_header_ = false;
  header(end, out);
}

/// All or a part of one line.
void Decoder::header(std::string_view piece, std::string& out) {
  if (!in_header_) {
    content(piece, out);
    return;
  }
  const bool ends = piece.ends_with('\n');
  if (!decided_) {
    const std::size_t taken = std::min(piece.size(), kMostName + 1 - line_.size());
    line_ += piece.substr(0, taken);
    const std::string_view rest = piece.substr(taken);
    const bool enough = ends || line_.size() > kMostName || line_.contains(':');
    if (!enough) return;
    decide(out);
    piece = rest;
  }
  if (own_) {
    if (envelope_.fields.size() < kMostFields) envelope_.fields += piece;
    if (form_ != Form::foreign) envelope_.bytes += piece.size();
  } else {
    content(piece, out);
  }
  if (ends) decided_ = false;
}

void Decoder::decide(std::string& out) {
  const bool goes_on = line_.starts_with(' ') || line_.starts_with('\t');
  if (form_ == Form::foreign) {
    const std::string name = name_of(line_);
    own_ = goes_on ? own_ : is_own_field(name) || (at_top_ && is_google_field(name));
    at_top_ = at_top_ && own_;
  } else {
    const std::size_t rank = rank_of(line_);
    own_ = rank > rank_;
    rank_ = rank;
    if (!own_) in_header_ = false;  // all that follows is the message's
  }
  if (own_) {
    if (envelope_.fields.size() < kMostFields) envelope_.fields += line_;
    if (form_ != Form::foreign) envelope_.bytes += line_.size();
  } else {
    content(line_, out);
  }
  line_.clear();
  decided_ = true;
}

void Decoder::content(std::string_view stored, std::string& out) {
  // In the header of foreign mail, `>From ` is what a relay made of a second `From ` line.
  if (form_ == Form::foreign && in_header_) {
    give(stored, out);
    return;
  }
  std::string plain;
  quoting_.convert(stored, plain);
  give(plain, out);
}

void Decoder::give(std::string_view bytes, std::string& out) {
  const std::size_t before = out.size();
  if (form_ == Form::raw) {
    out += bytes;
  } else {
    for (const char c : bytes) {
      if (c == '\n' && (form_ == Form::lines || last_ != '\r')) out += '\r';
      out += last_ = c;
    }
  }
  const std::uint64_t given = out.size() - before;
  // What is beyond the size of ours is the line end that a message without one was given.
  if (form_ != Form::foreign && size_ + given > limit_) {
    const std::uint64_t keep = size_ < limit_ ? limit_ - size_ : 0;
    out.resize(before + static_cast<std::size_t>(keep));
  }
  size_ += given;
}

void Decoder::finish(std::string& out) {
  if (in_header_ && !line_.empty()) {
    decide(out);
    decided_ = false;
  }
  std::string rest;
  quoting_.finish(rest);
  give(rest, out);
  if (form_ == Form::foreign) {
    // The only empty line is the end of the header.
    if (in_header_ && blank_.ends_with('\n')) give(blank_, out);
    if (blank_ == "\r") give(blank_, out);
    return;
  }
  const std::uint64_t blank_bytes = form_ == Form::lines ? blank_.size() + 1 : blank_.size();
  if (!blank_.empty() && size_ + blank_bytes == limit_) give(blank_, out);
  const std::uint64_t line_end_bytes = form_ == Form::lines ? 2 : 1;
  intact_ = size_ == limit_ || size_ == limit_ + line_end_bytes;
  size_ = std::min(size_, limit_);
}

}  // namespace postferry::mbox
