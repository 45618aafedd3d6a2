#include "engine/repair.h"

#include <array>

#include "engine/header_words.h"

namespace postferry {

namespace {

constexpr std::array kSteps = {RepairStep::line_ends,      RepairStep::nuls,
                               RepairStep::final_line_end, RepairStep::from_lines,
                               RepairStep::header_end,     RepairStep::bare_returns,
                               RepairStep::header_words,   RepairStep::long_lines,
                               RepairStep::date,           RepairStep::flags};
constexpr std::size_t kLongestLine = 998;

/// The line that begins at `at`, its end included.
std::string_view line_at(std::string_view text, std::size_t at) {
  const std::size_t end = text.find('\n', at);
  return text.substr(at, end == std::string_view::npos ? end : end + 1 - at);
}

std::string_view without_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// RFC 5322 section 2.2; blanks before the colon were allowed once.
bool is_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  std::string_view name = line.substr(0, colon);
  while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);
  if (name.empty()) return false;
  for (const char c : name)
    if (c <= ' ' || c == '\x7F') return false;
  return true;
}

bool is_from_line(std::string_view line) {
  return (line.starts_with("From ") || line.starts_with(">From ")) && !is_field(line);
}

bool is_folded(std::string_view line) { return line.starts_with(' ') || line.starts_with('\t'); }

std::string line_ends(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) out += '\r';
    out += text[i];
  }
  return out;
}

std::string bare_returns(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) out += '\n';
  }
  return out;
}

std::string from_lines(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view line = line_at(text, at);
    if (without_end(line).empty()) break;
    if (!is_from_line(line)) out += line;
    at += line.size();
  }
  return out += text.substr(at);
}

std::string header_end(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view line = line_at(text, at);
    if (without_end(line).empty()) break;
    const bool header = is_field(line) || is_from_line(line) || (at > 0 && is_folded(line));
    if (!header) return std::string(text.substr(0, at)) + "\r\n" + std::string(text.substr(at));
    at += line.size();
  }
  return std::string(text);
}

/// Where to part the line so that no more than `most` bytes come first: at a blank if there is one,
/// and never within a character of UTF-8.
std::size_t parting(std::string_view line, std::size_t most) {
  const std::size_t blank = line.find_last_of(" \t", most);
  if (blank != std::string_view::npos && blank > 0 &&
      line.substr(0, blank).find_first_not_of(" \t") != std::string_view::npos)
    return blank;
  std::size_t at = most;
  while (at > most - 4 && (static_cast<unsigned char>(line[at]) & 0xC0) == 0x80) --at;
  return at;
}

/// A part of a header line goes on with a blank, or it would be a field of its own.
std::string long_lines(std::string_view text) {
  std::string out;
  bool header = true;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view whole = line_at(text, at);
    at += whole.size();
    std::string_view line = without_end(whole);
    if (line.empty()) header = false;
    const std::string_view end = whole.substr(line.size());
    std::string_view blank;
    while (blank.size() + line.size() > kLongestLine) {
      const std::size_t cut = parting(line, kLongestLine - 1);
      out.append(blank).append(line.substr(0, cut)).append("\r\n");
      line.remove_prefix(cut);
      blank = header && !is_folded(line) ? " " : "";
    }
    out.append(blank).append(line).append(end);
  }
  return out;
}

std::string after(RepairStep step, std::string text) {
  switch (step) {
    case RepairStep::line_ends:
      return line_ends(text);
    case RepairStep::nuls:
      std::erase(text, '\0');
      return text;
    case RepairStep::final_line_end:
      return text.ends_with('\n') ? text : text + "\r\n";
    case RepairStep::from_lines:
      return from_lines(text);
    case RepairStep::header_end:
      return header_end(text);
    case RepairStep::bare_returns:
      return bare_returns(text);
    case RepairStep::header_words:
      return with_ascii_header(text);
    case RepairStep::long_lines:
      return long_lines(text);
    case RepairStep::date:
    case RepairStep::flags:
      return text;  // are not in it
  }
  return text;
}

}  // namespace

const char* to_string(RepairStep step) {
  switch (step) {
    case RepairStep::line_ends:
      return "line_ends";
    case RepairStep::nuls:
      return "nuls";
    case RepairStep::final_line_end:
      return "final_line_end";
    case RepairStep::from_lines:
      return "from_lines";
    case RepairStep::header_end:
      return "header_end";
    case RepairStep::bare_returns:
      return "bare_returns";
    case RepairStep::header_words:
      return "header_words";
    case RepairStep::long_lines:
      return "long_lines";
    case RepairStep::date:
      return "date";
    case RepairStep::flags:
      return "flags";
  }
  return "unknown";
}

const char* in_words(RepairStep step) {
  switch (step) {
    case RepairStep::line_ends:
      return "bare LFs became CRLFs";
    case RepairStep::nuls:
      return "NULs were left out";
    case RepairStep::final_line_end:
      return "the last line was ended";
    case RepairStep::from_lines:
      return "mbox From lines in the header were left out";
    case RepairStep::header_end:
      return "an empty line was put before the first line that is no header field";
    case RepairStep::bare_returns:
      return "bare CRs became CRLFs";
    case RepairStep::header_words:
      return "8-bit words in the header were encoded";
    case RepairStep::long_lines:
      return "lines above 998 bytes were parted";
    case RepairStep::date:
      return "its date was left out";
    case RepairStep::flags:
      return "its flags were left out";
  }
  return "unknown";
}

std::string in_words(Repairs repairs) {
  std::string text;
  for (const RepairStep step : kSteps)
    if (repairs.has(step)) text += (text.empty() ? "" : ", ") + std::string(in_words(step));
  return text;
}

std::vector<RepairStep> steps_of(Repairs repairs) {
  std::vector<RepairStep> steps;
  for (const RepairStep step : kSteps)
    if (repairs.has(step)) steps.push_back(step);
  return steps;
}

std::string repaired(std::string message, Repairs repairs) {
  for (const RepairStep step : kSteps)
    if (repairs.has(step)) message = after(step, std::move(message));
  return message;
}

std::optional<RepairStep> next_repair(std::string_view message,
                                      const std::optional<InternalDate>& date, const Flags& flags,
                                      Repairs done) {
  const std::string so_far = repaired(std::string(message), done);
  for (const RepairStep step : kSteps)
    if (!done.has(step) && repaired(std::string(message), done.with(step)) != so_far) return step;
  if (date && !done.has(RepairStep::date)) return RepairStep::date;
  if (!flags.empty() && !done.has(RepairStep::flags)) return RepairStep::flags;
  return std::nullopt;
}

}  // namespace postferry
