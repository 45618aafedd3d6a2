// What whoever runs us writes, and what we write for programs that read it. The first byte chooses
// what is read; whatever a server said, it comes out as a field of CSV, a text of HTML and a string
// of JSON that end where they should, and nothing of it commands a terminal or a spreadsheet.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "cli/job_text.h"
#include "cli/json_writer.h"
#include "cli/report_csv.h"
#include "cli/report_html.h"
#include "cli/values.h"
#include "connectors/endpoint.h"
#include "engine/error.h"
#include "tests/fuzz/require.h"

using namespace postferry;
using namespace postferry::fuzz;
using namespace postferry::cli;

namespace {

constexpr std::size_t kAll = 1 << 20;

bool is_harmless(std::string_view text) { return printable(text, kAll) == text; }

void check_csv(std::string_view bytes) {
  const std::string field = csv_field(bytes);
  require(field.size() >= 2 && field.front() == '"' && field.back() == '"');
  std::string_view inside = std::string_view(field).substr(1, field.size() - 2);
  require(is_harmless(inside));
  require(inside.empty() || std::string_view("=+-@").find(inside[0]) == std::string_view::npos);
  while (!inside.empty()) {
    const bool quote = inside[0] == '"';
    require(!quote || inside.starts_with("\"\""));
    inside.remove_prefix(quote ? 2 : 1);
  }
}

void check_html(std::string_view bytes) {
  const std::string text = html_escaped(bytes);
  require(is_harmless(text) && text.find_first_of("<>\"'") == text.npos);
  for (std::size_t at = text.find('&'); at != text.npos; at = text.find('&', at + 1)) {
    const std::size_t end = text.find(';', at);
    require(end != text.npos && end - at <= 5);
  }
}

/// One string of JSON, alone in an array; and its key.
void check_json(std::string_view bytes) {
  JsonWriter json;
  json.begin_object();
  json.string(bytes.empty() ? "k" : bytes, bytes);
  json.end_object();
  std::string_view text = json.text();
  require(is_harmless(text));
  require(text.starts_with("{\"") && text.ends_with("\"}"));
  int quotes = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      require(std::string_view("\"\\u").contains(text[++i]));
      if (text[i] == 'u')
        require(text.substr(i + 1, 4).find_first_not_of("0123456789abcdef") == text.npos);
    } else if (text[i] == '"') {
      ++quotes;
    }
  }
  require(quotes == 4);
}

/// A path may be of any bytes: whoever prints it takes care of these.
bool is_one_line(std::string_view text) {
  return std::ranges::none_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
}

void check_endpoint(std::string_view bytes) {
  try {
    const Endpoint endpoint = parse_endpoint(bytes);
    require(is_one_line(endpoint.to_string()) && is_one_line(endpoint.identity()));
    const Endpoint again = parse_endpoint(endpoint.to_string());
    require(again.identity() == endpoint.identity());
    require(again.user == endpoint.user && again.host == endpoint.host);
    require(again.tls == endpoint.tls && again.path == endpoint.path);
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::usage);
  }
}

template <class Parse>
void check_value(Parse parse) {
  try {
    parse();
  } catch (const BadValue& bad) {
    require(is_harmless(bad.what()));
  }
}

void check_values(std::string_view bytes) {
  check_value([&] { (void)parse_size(bytes); });
  check_value([&] { (void)parse_daily(bytes); });
  check_value([&] { (void)parse_instant(bytes); });
  check_value([&] {
    const auto duration = parse_duration(bytes);
    require(duration >= std::chrono::seconds(1) && duration <= std::chrono::hours(24));
  });
  check_value([&] { require(!parse_folder_pair(bytes).second.empty()); });
  check_value([&] {
    const std::string address = parse_address(std::string(bytes));
    require(!address.empty() && address.find_first_of("\r\n <>") == address.npos);
  });
}

void check_job(const JobText& job) {
  for (const JobFault& fault : job.faults) require(is_harmless(fault.text));
  for (const Section& account : job.accounts)
    for (const auto& [key, given] : account.keys) require(!given.texts.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes = text_of(data, size);
  switch (take_byte(bytes)) {
    case 'j':
      check_job(read_job_text(std::string(bytes), "job.toml"));
      break;
    case 't': {
      JobText job;
      read_job_table(std::string(bytes), "people.csv", job);
      check_job(job);
      break;
    }
    case 'e':
      check_endpoint(bytes);
      break;
    case 'v':
      check_values(bytes);
      break;
    default:
      check_csv(bytes);
      check_html(bytes);
      check_json(bytes);
  }
  return 0;
}
