#include "cli/ledger_json.h"

#include "cli/json_writer.h"

namespace postferry::cli {
namespace {

void write_counts(JsonWriter& json, const Ledger& ledger) {
  json.number("folders", static_cast<std::uint64_t>(ledger.folders.size()));
  json.number("folders_failed", ledger.folders_failed());
  const Tally tally = ledger.messages();
  json.begin_object("messages");
  json.number("seen", tally.seen);
  json.number("copied", tally.copied);
  json.number("present", tally.present);
  json.number("filtered", tally.filtered);
  json.number("rejected", tally.rejected);
  json.number("vanished", tally.vanished);
  json.number("unknown", tally.unknown);
  json.number("pending", tally.pending);
  json.number("twins", tally.twins);
  json.number("accepted", tally.accepted);
  json.end_object();
  json.number("flags_updated", ledger.flags_updated());
  json.number("deleted", ledger.deleted());
  json.number("removed_from_source", ledger.removed());
  json.number("left_at_source", ledger.left_at_source());
  json.number("bytes_copied", ledger.bytes_copied());
  json.number("seconds", ledger.seconds);
}

void write_error(JsonWriter& json, std::string_view kind, std::string_view message,
                 std::string_view context) {
  json.begin_object("error");
  json.string("kind", kind);
  json.string("message", message);
  json.string("context", context);
  json.end_object();
}

void write_error(JsonWriter& json, const std::optional<Error>& error) {
  if (error) {
    write_error(json, to_string(error->kind()), error->message(), error->context());
  } else {
    json.null("error");
  }
}

void write_failed_folders(JsonWriter& json, const Ledger& ledger) {
  json.begin_array("failed_folders");
  for (const FolderTally& folder : ledger.folders) {
    if (!folder.error) continue;
    json.begin_object();
    json.string("folder", folder.source.to_string());
    write_error(json, folder.error);
    json.end_object();
  }
  json.end_array();
}

std::string key_text(const MessageKey& key) {
  return key.is_uid() ? std::to_string(key.uid().value) : key.uidl();
}

void write_refusals(JsonWriter& json, const char* name, const std::vector<Refusal>& refusals,
                    bool left_behind) {
  json.begin_array(name);
  for (const Refusal& refusal : refusals) {
    if (refusal.left_behind != left_behind) continue;
    json.begin_object();
    json.string("folder", refusal.folder.to_string());
    json.string("key", key_text(refusal.key));
    json.string("text", refusal.text);
    json.end_object();
  }
  json.end_array();
}

void write_repaired(JsonWriter& json, const std::vector<RepairedMessage>& repaired) {
  json.begin_array("repaired");
  for (const RepairedMessage& message : repaired) {
    json.begin_object();
    json.string("folder", message.folder.to_string());
    json.string("key", key_text(message.key));
    json.begin_array("steps");
    for (const RepairStep step : steps_of(message.repairs)) json.string({}, to_string(step));
    json.end_array();
    json.string("original", message.original);
    json.end_object();
  }
  json.end_array();
}

void write_optional(JsonWriter& json, const char* key, const std::optional<std::uint64_t>& value) {
  if (value) {
    json.number(key, *value);
  } else {
    json.null(key);
  }
}

void write_texts(JsonWriter& json, const char* key, const std::vector<std::string>& texts) {
  json.begin_array(key);
  for (const std::string& text : texts) json.string({}, text);
  json.end_array();
}

void write_check(JsonWriter& json, const CheckReport& check) {
  json.begin_object("check");
  json.begin_array("mapping");
  for (const CheckedFolder& folder : check.folders) {
    json.begin_object();
    json.string("source", folder.source.to_string());
    json.string("target", folder.target.to_string());
    json.number("messages", folder.messages);
    json.number("bytes", folder.size_bytes);
    json.number("present", folder.present);
    json.number("filtered", folder.filtered);
    json.number("due", folder.due);
    json.number("due_bytes", folder.due_bytes);
    json.number("too_big", folder.too_big);
    json.boolean("exists", folder.exists);
    json.end_object();
  }
  json.end_array();
  json.begin_array("left_out");
  for (const FolderName& folder : check.left_out) json.string({}, folder.to_string());
  json.end_array();
  write_texts(json, "notes", check.notes);
  write_texts(json, "problems", check.problems);
  if (check.traits) {
    const TargetTraits& traits = *check.traits;
    json.begin_object("target_traits");
    json.boolean("uidplus", traits.uidplus);
    json.string("delimiter", traits.delimiter == '\0' ? "" : std::string(1, traits.delimiter));
    json.string("forbidden_chars", traits.forbidden_chars);
    json.boolean("names_ignore_case", traits.names_ignore_case);
    write_optional(json, "append_limit_bytes", traits.append_limit_bytes);
    json.number("batch_messages", static_cast<std::uint64_t>(traits.batch_messages));
    json.end_object();
  }
  json.string("source_software", check.source_software);
  json.string("target_software", check.target_software);
  write_texts(json, "source_capabilities", check.source_offers);
  write_texts(json, "target_capabilities", check.target_offers);
  json.begin_array("target_quotas");
  for (const Quota& quota : check.quotas) {
    json.begin_object();
    json.string("root", quota.root);
    json.string("of", quota.of == Quota::Of::bytes ? "bytes" : "messages");
    json.number("used", quota.used);
    json.number("limit", quota.limit);
    json.end_object();
  }
  json.end_array();
  json.number("source_sessions", std::int64_t{check.source_sessions});
  json.number("target_sessions", std::int64_t{check.target_sessions});
  if (check.seconds_to_read) {
    json.number("seconds_to_read", *check.seconds_to_read);
  } else {
    json.null("seconds_to_read");
  }
  json.end_object();
}

void write_tally(JsonWriter& json, const VerifyTally& tally) {
  static constexpr std::pair<const char*, std::uint64_t VerifyTally::*> kCounts[] = {
      {"seen", &VerifyTally::seen},
      {"match", &VerifyTally::match},
      {"differ", &VerifyTally::differ},
      {"missing", &VerifyTally::missing},
      {"refused", &VerifyTally::refused},
      {"accepted", &VerifyTally::accepted},
      {"filtered", &VerifyTally::filtered},
      {"unproven", &VerifyTally::unproven},
      {"marked", &VerifyTally::marked},
      {"folded", &VerifyTally::folded},
      {"munged", &VerifyTally::munged},
      {"kept", &VerifyTally::kept},
      {"repaired", &VerifyTally::repaired},
      {"extra", &VerifyTally::extra},
      {"doubled", &VerifyTally::doubled},
      {"gone", &VerifyTally::gone},
      {"flags_differ", &VerifyTally::flags_differ},
      {"dates_differ", &VerifyTally::dates_differ}};
  json.begin_object("messages");
  for (const auto& [name, count] : kCounts) json.number(name, tally.*count);
  json.end_object();
}

void write_finding(JsonWriter& json, const Finding& finding) {
  json.begin_object();
  json.string("kind", to_string(finding.kind));
  if (finding.key) {
    json.string("key", key_text(*finding.key));
  } else {
    json.null("key");
  }
  json.number("target_uid", std::uint64_t{finding.uid.value});
  json.string("message_id", finding.message_id);
  json.string("text", finding.text);
  json.end_object();
}

void write_verify(JsonWriter& json, const VerifyReport& verify) {
  json.begin_object("verify");
  json.string("level", to_string(verify.level));
  json.string("against", verify.against_journal ? "journal" : "source");
  json.boolean("journal_known", verify.journal_known);
  json.boolean("journal_incomplete", verify.journal_incomplete);
  json.boolean("accounted_for", verify.accounted_for());
  write_tally(json, verify.messages());
  json.begin_array("folders");
  for (const VerifiedFolder& folder : verify.folders) {
    json.begin_object();
    json.string("source", folder.source.to_string());
    json.string("target", folder.target.to_string());
    json.boolean("folder_missing", folder.folder_missing);
    write_error(json, folder.error);
    write_tally(json, folder.messages);
    json.begin_array("findings");
    for (const Finding& finding : folder.findings) write_finding(json, finding);
    json.end_array();
    json.number("findings_left_out", folder.findings_left_out);
    json.end_object();
  }
  json.end_array();
  json.begin_array("extra_folders");
  for (const FolderName& folder : verify.extra_folders) json.string({}, folder.to_string());
  json.end_array();
  json.end_object();
}

void write_failed(JsonWriter& json, const std::vector<FailedMessage>& failed) {
  json.begin_array("failed");
  for (const FailedMessage& message : failed) {
    json.begin_object();
    json.string("folder", message.folder.to_string());
    json.string("key", key_text(message.row.key));
    json.number("bytes", message.row.size_bytes);
    json.number("run", message.row.run.value);
    json.string("text", message.row.text);
    json.boolean("accepted", message.row.accepted);
    if (!message.exported_to.empty()) json.string("exported_to", message.exported_to);
    if (!message.not_exported.empty()) json.string("not_exported", message.not_exported);
    json.end_object();
  }
  json.end_array();
}

void write_undo(JsonWriter& json, const UndoReport& undo) {
  json.begin_object("undo");
  json.number("run", undo.run.value);
  json.boolean("dry_run", undo.dry_run);
  json.number("appended", undo.appended());
  json.number("removed", undo.removed());
  json.number("kept", undo.kept());
  json.number("gone", undo.gone());
  json.number("pending", undo.pending());
  json.begin_array("folders");
  for (const UndoneFolder& folder : undo.folders) {
    json.begin_object();
    json.string("source", folder.source.to_string());
    json.string("target", folder.target.to_string());
    json.number("appended", folder.appended);
    json.number("removed", folder.removed);
    json.number("gone", folder.gone);
    json.number("pending", folder.pending);
    write_error(json, folder.error);
    json.begin_array("kept");
    for (const KeptMessage& message : folder.kept) {
      json.begin_object();
      json.string("key", key_text(message.key));
      json.number("target_uid", std::uint64_t{message.uid.value});
      json.string("text", message.why);
      json.end_object();
    }
    json.end_array();
    json.number("kept_left_out", folder.kept_left_out);
    json.end_object();
  }
  json.end_array();
  json.end_object();
}

void write_runs(JsonWriter& json, const RunHistory& history) {
  json.string("journal", history.journal);
  json.boolean("under_way", history.holder.has_value());
  json.begin_array("runs");
  for (const RunRecord& run : history.runs) {
    json.begin_object();
    json.number("run", run.id.value);
    json.string("command", run.command);
    json.number("started_at", run.started_at);
    if (run.ended_at) {
      json.number("ended_at", *run.ended_at);
      json.string("outcome", to_string(run.ledger.outcome));
    } else {
      json.null("ended_at");
      json.null("outcome");
      json.number("copied_so_far", run.copied_so_far);
    }
    write_error(json, run.ledger.error);
    write_counts(json, run.ledger);
    json.end_object();
  }
  json.end_array();
}

void write_past(JsonWriter& json, const RunRecord& past) {
  json.begin_object("last_run");
  json.number("run", past.id.value);
  json.string("command", past.command);
  json.number("started_at", past.started_at);
  if (past.ended_at) {
    json.number("ended_at", *past.ended_at);
  } else {
    json.null("ended_at");
    json.number("copied_so_far", past.copied_so_far);
  }
  json.end_object();
}

void write_account(JsonWriter& json, const Report& report) {
  const Ledger& ledger = report.ledger;
  json.begin_object();
  json.string("name", ledger.account);
  json.string("outcome", to_string(ledger.outcome));
  if (report.failure) {
    write_error(json, report.failure->kind, report.failure->message, "");
  } else {
    write_error(json, ledger.error);
  }
  write_counts(json, ledger);
  write_failed_folders(json, ledger);
  write_refusals(json, "refused", report.refusals, false);
  write_refusals(json, "left_messages", report.refusals, true);
  if (!report.repaired.empty()) write_repaired(json, report.repaired);
  if (report.check) write_check(json, *report.check);
  if (report.verify) write_verify(json, *report.verify);
  if (report.failed) write_failed(json, *report.failed);
  if (report.undo) write_undo(json, *report.undo);
  if (report.history) write_runs(json, *report.history);
  if (report.past) write_past(json, *report.past);
  json.end_object();
}

void begin(JsonWriter& json, std::int64_t run, Outcome outcome, bool dry_run) {
  json.begin_object();
  json.number("format", std::int64_t{1});
  json.number("run", run);
  json.string("outcome", to_string(outcome));
  if (dry_run) json.boolean("dry_run", true);
}

void write_totals(JsonWriter& json, const Ledger& total) {
  json.begin_object("totals");
  write_counts(json, total);
  json.end_object();
}

}  // namespace

std::string ledger_json(const Report& report) {
  JsonWriter json;
  begin(json, report.ledger.run, report.ledger.outcome, report.dry_run);
  json.begin_array("accounts");
  write_account(json, report);
  json.end_array();
  write_totals(json, report.ledger);
  json.end_object();
  return json.text() + "\n";
}

std::string job_json(const JobReport& job) {
  JsonWriter json;
  begin(json, job.run, job.outcome(), job.dry_run);
  if (job.failure) write_error(json, job.failure->kind, job.failure->message, "");
  if (job.holder) json.string("holder", *job.holder);
  if (!job.faults.empty()) {
    json.begin_array("faults");
    for (const JobFault& fault : job.faults) {
      json.begin_object();
      json.string("file", fault.place.file);
      json.number("line", std::int64_t{fault.place.line});
      json.string("text", fault.text);
      json.end_object();
    }
    json.end_array();
  }
  json.begin_array("accounts");
  for (const Report& report : job.accounts) write_account(json, report);
  json.end_array();
  write_totals(json, job.total());
  json.end_object();
  return json.text() + "\n";
}

}  // namespace postferry::cli
