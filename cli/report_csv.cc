#include "cli/report_csv.h"

#include "engine/error.h"

namespace postferry::cli {
namespace {

std::string numbers(const FolderTally& folder) {
  const Tally& tally = folder.messages;
  std::string text;
  for (const std::uint64_t number :
       {tally.seen, tally.copied, tally.present, tally.filtered, tally.rejected, tally.accepted,
        tally.vanished, tally.unknown, tally.pending, tally.twins, folder.flags_updated,
        folder.deleted, folder.removed, folder.bytes_copied, folder.left_at_source})
    text += "," + std::to_string(number);
  return text;
}

}  // namespace

std::string csv_field(std::string_view given) {
  const std::string safe = printable(given, 4000);
  const std::string_view text = safe;
  std::string out = "\"";
  if (!given.empty() && std::string_view("\t\r\n").find(given[0]) != std::string_view::npos)
    out += '\'';
  if (!text.empty() && std::string_view("=+-@").find(text[0]) != std::string_view::npos)
    out += '\'';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

namespace {

constexpr const char* kHeader =
    "kind,run,account,folder,target,key,text,seen,copied,present,filtered,rejected,accepted,"
    "vanished,unknown,pending,twins,flags_updated,deleted,removed,bytes_copied,left_at_source\r\n";

std::string rows_of(const Report& report) {
  const std::string account = csv_field(report.ledger.account);
  const std::string run = std::to_string(report.ledger.run);
  std::string text;
  for (const FolderTally& folder : report.ledger.folders) {
    text += "folder," + run + "," + account + "," + csv_field(folder.source.to_string()) + "," +
            csv_field(folder.target.to_string()) + ",," +
            csv_field(folder.error ? folder.error->what() : "") + numbers(folder) + "\r\n";
  }
  for (const Refusal& refusal : report.refusals) {
    const std::string kind = refusal.left_behind ? "left_at_source," : "refused,";
    text += kind + run + "," + account + "," + csv_field(refusal.folder.to_string()) + ",," +
            csv_field(refusal.key.to_string()) + "," + csv_field(printable(refusal.text)) +
            std::string(15, ',') + "\r\n";
  }
  return text;
}

/// What stopped the account, or that its run has not ended, and how much it copied all the same.
std::string account_row(const Report& report) {
  const bool ended = !report.past || report.past->ended_at;
  if (ended && !report.ledger.error) return {};
  const std::string words =
      report.ledger.error ? report.ledger.error->what() : "has not ended, or not in good order";
  const std::uint64_t copied = ended ? report.ledger.messages().copied : report.past->copied_so_far;
  return "account," + std::to_string(report.ledger.run) + "," + csv_field(report.ledger.account) +
         ",,,," + csv_field(words) + ",," + std::to_string(copied) + std::string(13, ',') + "\r\n";
}

}  // namespace

std::string report_csv(const Report& report) {
  return kHeader + account_row(report) + rows_of(report);
}

std::string job_csv(const JobReport& job) {
  std::string text = kHeader;
  for (const Report& report : job.accounts) text += account_row(report) + rows_of(report);
  return text;
}

}  // namespace postferry::cli
