#include "cli/job_text.h"

#include <fmt/core.h>
#include <toml++/toml.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr std::size_t kMostAccounts = 100'000;

class TomlReader {
 public:
  TomlReader(JobText& into, std::string name) : into_(into), name_(std::move(name)) {}

  void read(const toml::table& table) {
    into_.top.place = {name_, 1};
    for (const auto& [key, node] : table) {
      const std::string word(key.str());
      if (word == "source" || word == "target") {
        Section& section = word == "source" ? into_.source : into_.target;
        if (const toml::table* inner = node.as_table()) {
          read_section(*inner, section);
        } else {
          fault(node, fmt::format("{0} is a table; write [{0}]", word));
        }
      } else if (word == "account") {
        read_accounts(node);
      } else {
        read_value(word, node, into_.top.keys);
      }
    }
  }

 private:
  void read_accounts(const toml::node& node) {
    const toml::array* accounts = node.as_array();
    if (!accounts || !accounts->is_homogeneous(toml::node_type::table)) {
      fault(node, "account is an array of tables; write [[account]]");
      return;
    }
    for (const toml::node& account : *accounts)
      read_section(*account.as_table(), into_.accounts.emplace_back());
  }

  void read_section(const toml::table& table, Section& section) {
    section.place = place_of(table);
    for (const auto& [key, node] : table) read_value(std::string(key.str()), node, section.keys);
  }

  void read_value(const std::string& key, const toml::node& node, Keys& keys) {
    // A number would come out of here spelled in another way.
    if (key.ends_with("password") && !node.is_string()) {
      fault(node, fmt::format("{}: a password is a text: put it in quotes", printable(key, 80)));
      return;
    }
    Given given{{}, place_of(node)};
    if (const toml::array* array = node.as_array()) {
      for (const toml::node& element : *array) {
        const auto text = scalar(element);
        if (!text) {
          fault(element, fmt::format("{}: an array holds texts or numbers", printable(key, 80)));
          return;
        }
        given.texts.push_back(*text);
      }
      if (given.texts.empty()) return;
    } else if (const auto text = scalar(node)) {
      given.texts.push_back(*text);
    } else {
      fault(node,
            fmt::format("{}: a text, a number, true or false is expected, or an array of them",
                        printable(key, 80)));
      return;
    }
    keys.insert_or_assign(key, std::move(given));
  }

  static std::optional<std::string> scalar(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return std::to_string(number->get());
    if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
    if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
    if (const auto* date = node.as_date()) {
      return fmt::format("{:04}-{:02}-{:02}", date->get().year, date->get().month, date->get().day);
    }
    return std::nullopt;
  }

  Place place_of(const toml::node& node) const {
    return {name_, static_cast<int>(node.source().begin.line)};
  }
  void fault(const toml::node& node, std::string text) {
    into_.faults.push_back({place_of(node), std::move(text)});
  }

  JobText& into_;
  std::string name_;
};

/// One row at a time; a quoted field may hold line ends.
class CsvReader {
 public:
  explicit CsvReader(std::string_view text) : rest_(text) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
    const std::string_view head = rest_.substr(0, rest_.find_first_of("\r\n"));
    if (head.find(',') == std::string_view::npos && head.find(';') != std::string_view::npos)
      part_ = ';';
  }

  /// The line on which the last row began.
  int line() const { return row_line_; }
  /// Set when the last row is not well-formed.
  const std::string& wrong() const { return wrong_; }

  std::optional<std::vector<std::string>> row() {
    if (rest_.empty()) return std::nullopt;
    row_line_ = line_;
    wrong_.clear();
    std::vector<std::string> fields;
    do {
      fields.push_back(rest_.starts_with('"') ? quoted() : plain());
    } while (took(part_));
    if (!rest_.empty() && !rest_.starts_with('\r') && !rest_.starts_with('\n')) {
      wrong_ = "something follows a field's closing quote";
      rest_.remove_prefix(std::min(rest_.size(), rest_.find_first_of("\r\n")));
    }
    took('\r');
    if (took('\n')) ++line_;
    return fields;
  }

 private:
  bool took(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string plain() {
    const char stops[] = {part_, '\r', '\n', '\0'};
    std::string field(rest_.substr(0, rest_.find_first_of(stops)));
    rest_.remove_prefix(field.size());
    return field;
  }
  std::string quoted() {
    std::string field;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == '"' && !took('"')) return field;
      if (c == '\n') ++line_;
      field += c;
    }
    wrong_ = "a quoted field has no end";
    return field;
  }

  std::string_view rest_;
  char part_ = ',';
  int line_ = 1, row_line_ = 1;
  std::string wrong_;
};

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_blank(const std::vector<std::string>& fields) {
  return fields.size() == 1 && trimmed(fields[0]).empty();
}

}  // namespace

JobText read_job_text(const std::string& text, const std::string& name) {
  JobText job;
  try {
    TomlReader(job, name).read(toml::parse(text, name));
  } catch (const toml::parse_error& error) {
    // The parser's words may quote what it choked on, which may be a password.
    job.faults.push_back({{name, static_cast<int>(error.source().begin.line)},
                          "this is not TOML from here on (a quote, a bracket or a = is missing, or "
                          "a key is there twice)"});
  }
  return job;
}

void read_job_table(const std::string& text, const std::string& name, JobText& into) {
  CsvReader reader(text);
  std::vector<std::string> header;
  if (auto first = reader.row()) header = std::move(*first);
  for (std::string& column : header) column = trimmed(column);
  if (header.empty() || (header.size() == 1 && header[0].empty())) {
    into.faults.push_back({{name, 1}, "the first row must name the columns"});
    return;
  }
  while (auto row = reader.row()) {
    const Place place{name, reader.line()};
    if (!reader.wrong().empty()) {
      into.faults.push_back({place, reader.wrong()});
      continue;
    }
    if (is_blank(*row)) continue;
    if (row->size() != header.size()) {
      into.faults.push_back(
          {place, fmt::format("{} fields, but the header has {}", row->size(), header.size())});
      continue;
    }
    if (into.accounts.size() == kMostAccounts) {
      into.faults.push_back({place, fmt::format("more than {} accounts", kMostAccounts)});
      return;
    }
    Section& account = into.accounts.emplace_back();
    account.place = place;
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (!(*row)[i].empty()) account.keys.insert_or_assign(header[i], Given{{(*row)[i]}, place});
    }
  }
}

}  // namespace postferry::cli
