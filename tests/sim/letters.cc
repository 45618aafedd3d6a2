// See letters.h.
#include "tests/sim/letters.h"

#include <fmt/format.h>

namespace postferry::sim {

std::string LetterWriter::letter_or_copy() {
  if (!written_.empty() && dice_.one_in(8)) return written_[dice_.below(written_.size())];
  written_.push_back(letter());
  return written_.back();
}

std::string LetterWriter::letter() {
  const std::uint64_t number = ++count_;
  // An alarm has no identity: only its bytes tell it from the next one.
  const bool alarm = dice_.one_in(6);
  std::string text;
  if (dice_.one_in(3)) text += fmt::format("Received: from relay{}.example\r\n", dice_.below(3));
  if (!alarm) text += fmt::format("Message-ID: <{}.sim@example.org>\r\n", number);
  if (dice_.one_in(6)) text += "X-Name: J\xc3\xb6rg\r\n";
  if (dice_.one_in(8)) {
    text += "Subject: bare\r\n";
  } else {
    text += fmt::format("Date: Tue, 14 Nov 2023 22:13:{:02} +0000\r\n", alarm ? 20 : number % 60);
    text += "From: Ann <ann@example.org>\r\nTo: bob@example.org\r\n";
    text += alarm ? "Subject: alarm\r\n" : fmt::format("Subject: letter\r\n  {}\r\n", number);
  }
  text += fmt::format("\r\nnumber {}\r\n", number);
  if (dice_.one_in(4)) text += ".\r\n..a dot\r\n";
  text += std::string(dice_.one_in(8) ? dice_.below(3000) : dice_.below(60), 'x');
  return text + "\r\n";
}

std::string LetterWriter::long_letter() {
  std::string text = letter();
  for (const std::size_t size = (1 << 20) + dice_.below(300'000); text.size() < size;)
    text += fmt::format("line {}\r\n", text.size());
  return text;
}

Flags LetterWriter::flags() {
  Flags flags;
  if (dice_.one_in(2)) flags.system |= Flags::seen;
  if (dice_.one_in(4)) flags.system |= Flags::flagged;
  if (dice_.one_in(6)) flags.system |= Flags::answered;
  if (dice_.one_in(4)) flags.add_keyword("work");
  return flags;
}

InternalDate LetterWriter::date() {
  constexpr std::int16_t kZones[] = {0, 60, -480, 330};
  return {1'600'000'000 + static_cast<std::int64_t>(dice_.below(50'000'000)),
          kZones[dice_.below(4)]};
}

}  // namespace postferry::sim
