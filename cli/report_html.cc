#include "cli/report_html.h"

#include <fmt/core.h>

#include "cli/format.h"
#include "cli/options.h"
#include "cli/proof_text.h"
#include "cli/rate_chart.h"
#include "engine/error.h"

namespace postferry::cli {
namespace {

constexpr const char* kStyle =
    ":root{color-scheme:light}"
    "body{font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;max-width:62em;margin:2.5em "
    "auto;padding:0 1.2em;color:#1c2430;background:#fff}"
    "h1{font-size:1.7em;margin:0 0 .1em;letter-spacing:-.01em}h2{font-size:1.15em;margin:2.2em 0 "
    ".3em;padding-top:1em;border-top:1px solid #dde3ea}h3{font-size:1em;margin:1.4em 0 .3em}"
    ".sub{color:#5b6776;margin:.1em 0 1.2em;overflow-wrap:anywhere}"
    ".state{display:inline-block;padding:.05em .6em;border-radius:1em;font-size:.62em;"
    "vertical-align:.25em;background:#e3f3e7;color:#1d6b33}"
    ".state.bad{background:#fbe4e1;color:#a3261a}.bad{color:#a3261a}"
    ".cards{display:flex;flex-wrap:wrap;gap:.8em;margin:1.2em 0}"
    ".cards div{flex:1 1 8em;border:1px solid #dde3ea;border-radius:.5em;padding:.5em .8em}"
    ".cards b{display:block;font-size:1.35em;font-weight:600;font-variant-numeric:tabular-nums}"
    ".cards span{color:#5b6776;font-size:.87em}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;margin:.6em 0}"
    "th{font-weight:600;color:#5b6776;font-size:.87em}th,td{padding:.3em .55em;border-bottom:1px "
    "solid #e8ecf1;text-align:right;vertical-align:top}"
    "th:first-child,td:first-child,.t{text-align:left;overflow-wrap:anywhere}"
    "td.z{color:#b5bec9}a{color:#1f6fb2;text-decoration:none}"
    "svg{display:block;width:100%}.bar{height:18px;border-radius:9px;margin:1em 0 .5em}"
    ".chart{height:auto;margin:1.2em 0}.chart .g{stroke:#e1e6ec;fill:none}"
    ".chart text{font:12px system-ui,sans-serif}.chart .n{fill:#6b7685}"
    ".chart .h{fill:#1c2430;font-weight:600}"
    ".key{list-style:none;margin:0 0 1em;padding:0;display:flex;flex-wrap:wrap;gap:.2em 1.3em;"
    "color:#5b6776;font-size:.9em}.key "
    "svg{display:inline-block;width:.7em;height:.7em;margin-right:"
    ".45em}footer{margin:3em 0 1em;color:#8792a0;font-size:.85em}"
    "@media print{body{margin:0;max-width:none;font-size:12px}h2{break-after:avoid}"
    ".chart,tr{break-inside:avoid}}";

struct Part {
  const char* name;
  std::uint64_t count;
  const char* colour;
};

std::vector<Part> parts_of(const Tally& tally) {
  return {{"copied", tally.copied, "#2a7f3f"},     {"present", tally.present, "#8fc7a0"},
          {"filtered", tally.filtered, "#bcc4ce"}, {"rejected", tally.rejected, "#c0392b"},
          {"vanished", tally.vanished, "#8e6bb0"}, {"unknown", tally.unknown, "#e0a030"},
          {"pending", tally.pending, "#5b8def"}};
}

/// What every message of the source came to, as one bar with its key and the sum.
std::string bar(const Tally& tally) {
  constexpr double kWidth = 900;
  std::string rects, key, sum;
  double at = 0;
  for (const Part& part : parts_of(tally)) {
    if (part.count == 0) continue;
    const double width = kWidth * static_cast<double>(part.count) / static_cast<double>(tally.seen);
    rects += fmt::format(
        "<rect x=\"{:.2f}\" width=\"{:.2f}\" height=\"18\" fill=\"{}\"><title>{} {}</title></rect>",
        at, width, part.colour, part.name, with_commas(part.count));
    key += fmt::format(
        "<li><svg viewBox=\"0 0 1 1\"><circle cx=\".5\" cy=\".5\" r=\".5\" fill=\"{}\"/></svg>{} "
        "{}</li>",
        part.colour, with_commas(part.count), part.name);
    sum += fmt::format("{}{} {}", sum.empty() ? "" : " + ", part.name, with_commas(part.count));
    at += width;
  }
  std::string text;
  if (tally.seen > 0)
    text = fmt::format(
        "<svg class=\"bar\" viewBox=\"0 0 {:.0f} 18\" preserveAspectRatio=\"none\" role=\"img\" "
        "aria-label=\"What the messages came to\">{}</svg>\n<ul class=\"key\">{}</ul>\n",
        kWidth, rects, key);
  return text + fmt::format("<p class=\"sub\">seen {} = {}{}</p>\n", with_commas(tally.seen),
                            sum.empty() ? "0" : sum,
                            tally.balances() ? "; balanced" : "; DOES NOT BALANCE");
}

std::string count_cell(std::uint64_t number, bool bad = false) {
  return fmt::format("<td{}>{}</td>", number == 0 ? " class=\"z\"" : (bad ? " class=\"bad\"" : ""),
                     with_commas(number));
}

std::string folder_row(const FolderTally& folder) {
  const Tally& tally = folder.messages;
  std::string name = html_escaped(folder.source.to_string());
  if (folder.source != folder.target) name += " &rarr; " + html_escaped(folder.target.to_string());
  std::string row = "<tr><td>" + name + "</td>" + count_cell(tally.seen);
  for (const std::uint64_t number : {tally.copied, tally.present, tally.filtered})
    row += count_cell(number);
  for (const std::uint64_t number : {tally.rejected, tally.vanished, tally.unknown, tally.pending})
    row += count_cell(number, true);
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

std::string foot() {
  return fmt::format("<footer>postferry {}. All times are UTC.</footer>\n</body></html>\n",
                     version());
}

std::string state(Outcome outcome) {
  return fmt::format("<span class=\"state{}\">{}</span>",
                     outcome == Outcome::complete ? "" : " bad", to_string(outcome));
}

std::string card(const std::string& number, const char* what) {
  return fmt::format("<div><b>{}</b><span>{}</span></div>", number, what);
}

std::string cards(const Ledger& ledger, const std::string& more) {
  const Tally tally = ledger.messages();
  return "<div class=\"cards\">" + more +
         card(with_commas(tally.copied + tally.present), "messages on the target") +
         card(with_commas(tally.copied), "copied by this run") +
         card(human_bytes(ledger.bytes_copied()), "copied by this run") +
         card(human_seconds(ledger.seconds), "took") + "</div>\n";
}

std::string ends_line(const Report& report) {
  std::string text =
      "<p class=\"sub\">" + html_escaped(report.source) + " &rarr; " + html_escaped(report.target);
  if (report.past)
    text += fmt::format("<br>run {}, {}, began {}", report.past->id.value,
                        html_escaped(report.past->command), utc_text(report.past->started_at));
  return text + "</p>\n";
}

/// Those that were refused, or those that were left behind.
std::string refusals(const Report& report, bool left_behind, const char* heading, const char* why) {
  std::string rows;
  for (const Refusal& refusal : report.refusals)
    if (refusal.left_behind == left_behind)
      rows += "<tr><td>" + html_escaped(refusal.folder.to_string()) + "</td><td class=\"t\">" +
              html_escaped(refusal.key.to_string()) + "</td><td class=\"t\">" +
              html_escaped(refusal.text) + "</td></tr>\n";
  if (rows.empty()) return rows;
  return fmt::format(
             "<h3>{}</h3>\n<table><thead><tr><th>Folder</th><th class=\"t\">message</th>"
             "<th class=\"t\">{}</th></tr></thead><tbody>\n",
             heading, why) +
         rows + "</tbody></table>\n";
}

/// One run of one account, below its heading.
std::string body(const Report& report, bool small) {
  const Ledger& ledger = report.ledger;
  std::string text;
  if (report.past && !report.past->ended_at)
    text += "<p class=\"bad\">It has not ended, or not in good order: " +
            counted(report.past->copied_so_far, "message", "messages") + " copied so far.</p>\n";
  if (ledger.error) text += "<p class=\"bad\">" + html_escaped(ledger.error->what()) + "</p>\n";
  text += bar(ledger.messages());
  if (report.rates) text += rate_chart(*report.rates, small);
  if (!ledger.folders.empty()) {
    text +=
        "<table><thead><tr><th>Folder</th><th>seen</th><th>copied</th><th>present</th>"
        "<th>filtered</th><th>rejected</th><th>vanished</th><th>unknown</th><th>pending</th></tr>"
        "</thead><tbody>\n";
    for (const FolderTally& folder : ledger.folders) text += folder_row(folder);
    text += "</tbody></table>\n";
  }
  return text + refusals(report, false, "Refused", "in the server&#39;s words") +
         refusals(report, true, "Left at the source", "why");
}

std::string account_row(const Report& report, std::size_t number) {
  const Ledger& ledger = report.ledger;
  const Tally tally = ledger.messages();
  const bool bad = ledger.outcome != Outcome::complete;
  return fmt::format("<tr><td><a href=\"#a{}\">{}</a></td><td class=\"t{}\">{}</td>", number,
                     html_escaped(ledger.account), bad ? " bad" : "",
                     report.past ? to_string(ledger.outcome) : "not begun") +
         count_cell(tally.seen) + count_cell(tally.copied) + count_cell(tally.present) +
         count_cell(tally.rejected, true) + "<td>" + human_bytes(ledger.bytes_copied()) +
         "</td><td>" + human_seconds(ledger.seconds) + "</td></tr>\n";
}

}  // namespace

std::string report_html(const Report& report) {
  const Ledger& ledger = report.ledger;
  return head(fmt::format("run {}", ledger.run)) +
         fmt::format("<h1>Run {} {}</h1>\n", ledger.run, state(ledger.outcome)) +
         ends_line(report) + cards(ledger, "") + body(report, false) + foot();
}

std::string job_html(const JobReport& job) {
  Ledger total = job.total();
  std::size_t complete = 0;
  for (const Report& report : job.accounts) complete += report.ledger.outcome == Outcome::complete;
  if (job.rates) total.seconds = static_cast<double>(job.rates->until - job.rates->from);
  const std::string accounts = fmt::format("{} of {}", complete, job.accounts.size());
  std::string text = head(job.path);
  text += fmt::format("<h1>{} {}</h1>\n", html_escaped(job.path), state(job.outcome()));
  text += cards(total, card(accounts, "accounts complete"));
  text += bar(total.messages());
  if (job.rates) text += rate_chart(*job.rates, false);
  text +=
      "<table><thead><tr><th>Account</th><th class=\"t\">outcome</th><th>seen</th><th>copied</th>"
      "<th>present</th><th>rejected</th><th>size</th><th>took</th></tr></thead><tbody>\n";
  std::size_t number = 0;
  for (const Report& report : job.accounts) text += account_row(report, ++number);
  text += "</tbody></table>\n";
  number = 0;
  for (const Report& report : job.accounts) {
    text += fmt::format("<h2 id=\"a{}\">{} {}</h2>\n", ++number,
                        html_escaped(report.ledger.account), state(report.ledger.outcome));
    text += ends_line(report) + body(report, true);
  }
  return text + foot();
}

}  // namespace postferry::cli
