#include "cli/report_html.h"

#include <fmt/core.h>

#include "cli/format.h"
#include "cli/proof_text.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em;"
    "color:#222}table{border-collapse:collapse;width:100%}th,td{padding:.25em .6em;"
    "border-bottom:1px solid "
    "#ddd;text-align:right}th:first-child,td:first-child,.t{text-align:left}"
    ".bad{color:#a00}svg{display:block;margin:1em 0}";

struct Part {
  const char* name;
  std::uint64_t count;
  const char* colour;
};

std::vector<Part> parts_of(const Tally& tally) {
  return {{"copied", tally.copied, "#2a7f3f"},     {"present", tally.present, "#8fc7a0"},
          {"filtered", tally.filtered, "#bbbbbb"}, {"rejected", tally.rejected, "#c0392b"},
          {"vanished", tally.vanished, "#8e6bb0"}, {"unknown", tally.unknown, "#e0a030"},
          {"pending", tally.pending, "#5b8def"}};
}

/// What every message of the source came to, as one bar.
std::string bar(const Tally& tally) {
  constexpr double kWidth = 900;
  if (tally.seen == 0) return {};
  std::string text = fmt::format(
      "<svg viewBox=\"0 0 {0:.0f} 24\" width=\"100%\" height=\"24\" role=\"img\">", kWidth);
  double at = 0;
  for (const Part& part : parts_of(tally)) {
    const double width = kWidth * static_cast<double>(part.count) / static_cast<double>(tally.seen);
    if (part.count > 0)
      text += fmt::format(
          "<rect x=\"{:.2f}\" width=\"{:.2f}\" height=\"24\" fill=\"{}\"><title>{} {}</title>"
          "</rect>",
          at, width, part.colour, part.name, with_commas(part.count));
    at += width;
  }
  return text + "</svg>\n";
}

std::string sum_line(const Tally& tally) {
  std::string text;
  for (const Part& part : parts_of(tally))
    if (part.count > 0)
      text += fmt::format("{}{} {}", text.empty() ? "" : " + ", part.name, with_commas(part.count));
  return fmt::format("<p>seen {} = {}{}</p>\n", with_commas(tally.seen), text.empty() ? "0" : text,
                     tally.balances() ? "; balanced" : "; DOES NOT BALANCE");
}

std::string folder_row(const FolderTally& folder) {
  const Tally& tally = folder.messages;
  std::string name = html_escaped(folder.source.to_string());
  if (folder.source != folder.target) name += " &rarr; " + html_escaped(folder.target.to_string());
  std::string row = "<tr><td>" + name + "</td>";
  for (const std::uint64_t number : {tally.seen, tally.copied, tally.present, tally.filtered,
                                     tally.rejected, tally.vanished, tally.unknown, tally.pending})
    row += "<td>" + with_commas(number) + "</td>";
  row += "</tr>\n";
  if (folder.error)
    row += "<tr><td colspan=\"9\" class=\"bad t\">" + html_escaped(folder.error->what()) +
           "</td></tr>\n";
  return row;
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text, 4000)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

namespace {

std::string head(const std::string& title) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width\">"
      "<title>postferry, {}</title><style>{}</style></head><body>\n",
      html_escaped(title), kStyle);
}

/// One run of one account, below its heading.
std::string body(const Report& report) {
  const Ledger& ledger = report.ledger;
  const Tally tally = ledger.messages();
  std::string text =
      "<p>" + html_escaped(report.source) + " &rarr; " + html_escaped(report.target) + "<br>";
  if (report.past)
    text += fmt::format("{} UTC, {}, ", utc_text(report.past->started_at),
                        html_escaped(report.past->command));
  text += fmt::format("{}, {} copied</p>\n", human_seconds(ledger.seconds),
                      human_bytes(ledger.bytes_copied()));
  if (ledger.error) text += "<p class=\"bad\">" + html_escaped(ledger.error->what()) + "</p>\n";
  text += bar(tally) + sum_line(tally);
  text +=
      "<table><thead><tr><th>Folder</th><th>seen</th><th>copied</th><th>present</th>"
      "<th>filtered</th><th>rejected</th><th>vanished</th><th>unknown</th><th>pending</th></tr>"
      "</thead><tbody>\n";
  for (const FolderTally& folder : ledger.folders) text += folder_row(folder);
  text += "</tbody></table>\n";
  if (!report.refusals.empty()) {
    text += "<h2>Refused</h2>\n<table><tbody>\n";
    for (const Refusal& refusal : report.refusals)
      text += "<tr><td>" + html_escaped(refusal.folder.to_string()) + "</td><td class=\"t\">" +
              html_escaped(refusal.key.to_string()) + "</td><td class=\"t\">" +
              html_escaped(refusal.text) + "</td></tr>\n";
    text += "</tbody></table>\n";
  }
  return text;
}

std::string account_row(const Report& report, std::size_t number) {
  const Ledger& ledger = report.ledger;
  const Tally tally = ledger.messages();
  const bool bad = ledger.outcome != Outcome::complete;
  std::string row = fmt::format("<tr><td><a href=\"#a{}\">{}</a></td><td class=\"t{}\">{}</td>",
                                number, html_escaped(ledger.account), bad ? " bad" : "",
                                report.past ? to_string(ledger.outcome) : "not begun");
  for (const std::uint64_t count : {tally.seen, tally.copied, tally.present, tally.rejected})
    row += "<td>" + with_commas(count) + "</td>";
  return row + "<td>" + human_bytes(ledger.bytes_copied()) + "</td></tr>\n";
}

}  // namespace

std::string report_html(const Report& report) {
  const std::string title = fmt::format("run {}", report.ledger.run);
  return head(title) +
         fmt::format("<h1>Run {}: {}</h1>\n", report.ledger.run, to_string(report.ledger.outcome)) +
         body(report) + "</body></html>\n";
}

std::string job_html(const JobReport& job) {
  const Tally tally = job.total().messages();
  std::string text = head(job.path);
  text += fmt::format("<h1>{}: {}</h1>\n", html_escaped(job.path), to_string(job.outcome()));
  text += bar(tally) + sum_line(tally);
  text +=
      "<table><thead><tr><th>Account</th><th class=\"t\">outcome</th><th>seen</th>"
      "<th>copied</th><th>present</th><th>rejected</th><th>size</th></tr></thead><tbody>\n";
  std::size_t number = 0;
  for (const Report& report : job.accounts) text += account_row(report, ++number);
  text += "</tbody></table>\n";
  number = 0;
  for (const Report& report : job.accounts) {
    text += fmt::format("<h2 id=\"a{}\">{}</h2>\n", ++number, html_escaped(report.ledger.account));
    text += body(report);
  }
  return text + "</body></html>\n";
}

}  // namespace postferry::cli
