// Prefixes off and on, levels apart and together.
#include "connectors/imap/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "connectors/imap/codec/lexer.h"
#include "connectors/mail/mod_utf7.h"
#include "engine/error.h"
#include "engine/mapping.h"

namespace postferry::imap {
namespace {

// A prefix compares by bytes, but its INBOX, like INBOX itself, in any case.
bool has_prefix(std::string_view wire, std::string_view prefix) {
  if (wire.size() < prefix.size()) return false;
  const std::string_view head = wire.substr(0, prefix.size());
  if (head == prefix) return true;
  constexpr std::string_view kInbox = "INBOX";
  return prefix.size() >= kInbox.size() && same_ascii(prefix.substr(0, kInbox.size()), kInbox) &&
         same_ascii(head.substr(0, kInbox.size()), kInbox) &&
         head.substr(kInbox.size()) == prefix.substr(kInbox.size());
}

}  // namespace

void FolderNames::set_namespaces(NamespaceData namespaces) {
  namespaces_ = std::move(namespaces);
  if (namespaces_.personal.empty()) return;
  prefix_ = namespaces_.personal.front().prefix;
  delimiter_ = namespaces_.personal.front().delimiter;
}

void FolderNames::set_delimiter(std::optional<char> delimiter) { delimiter_ = delimiter; }

// The longest prefix of any namespace decides whose a folder is.
bool FolderNames::personal(std::string_view wire) const {
  std::optional<std::size_t> own, others;
  const auto measure = [&](const std::vector<NamespaceData::Entry>& entries,
                           std::optional<std::size_t>& longest) {
    for (const auto& entry : entries) {
      std::string_view prefix = entry.prefix;
      // The root itself may be listed without its delimiter.
      const bool root = !prefix.empty() && entry.delimiter && prefix.back() == *entry.delimiter &&
                        wire == prefix.substr(0, prefix.size() - 1);
      if (!root && !has_prefix(wire, prefix)) continue;
      if (!longest || *longest < prefix.size()) longest = prefix.size();
    }
  };
  measure(namespaces_.personal, own);
  measure(namespaces_.other_users, others);
  measure(namespaces_.shared, others);
  return !others || (own && *own >= *others);
}

FolderName FolderNames::decode(std::string_view wire, std::optional<char> delimiter) const {
  if (has_prefix(wire, prefix_)) wire.remove_prefix(prefix_.size());
  std::vector<std::string> levels;
  for (const std::string_view level : mail::split_levels(wire, delimiter)) {
    levels.push_back(mail::decode_lenient(level));
    if (slash_spelling_.empty()) continue;
    std::string& text = levels.back();
    for (auto at = text.find(slash_spelling_); at != std::string::npos;
         at = text.find(slash_spelling_))
      text.replace(at, slash_spelling_.size(), "/");
  }
  return FolderName(std::move(levels));
}

bool FolderNames::spelled_as_ours(std::string_view wire, const FolderName& name) const {
  std::string ours = prefix_;
  for (std::size_t i = 0; i < name.levels().size(); ++i) {
    const auto encoded = mail::encode_mod_utf7(name.levels()[i]);
    if (!encoded) return false;
    if (i > 0) ours += delimiter();
    ours += *encoded;
  }
  return ours == wire;
}

void FolderNames::learn(std::vector<ListedName> listing) {
  struct Fresh {
    bool odd;
    std::string wire;
    FolderName name;
  };
  std::vector<Fresh> fresh;
  for (ListedName& listed : listing) {
    if (find(listed.wire)) continue;
    if (same_ascii(listed.wire, "INBOX")) {
      keep(FolderName({"INBOX"}), std::move(listed.wire));
    } else if (personal(listed.wire)) {
      FolderName name = decode(listed.wire, listed.delimiter);
      if (name.empty()) continue;
      const bool odd = !spelled_as_ours(listed.wire, name);
      fresh.push_back({odd, std::move(listed.wire), std::move(name)});
    }
  }
  std::ranges::sort(fresh, {}, [](const Fresh& one) { return std::tie(one.odd, one.wire); });
  for (Fresh& one : fresh) {
    // Below the prefix `INBOX.` another INBOX may lie: the real one keeps the name.
    while (one.name.is_inbox() || wire_of_.contains(one.name)) {
      std::vector<std::string> levels = one.name.levels();
      levels.back() += mark_of(one.wire);
      one.name = FolderName(std::move(levels));
    }
    keep(std::move(one.name), std::move(one.wire));
  }
}

void FolderNames::keep(FolderName name, std::string wire) {
  name_of_.emplace(wire, name);
  wire_of_.emplace(std::move(name), std::move(wire));
}

void FolderNames::created(const FolderName& name) { keep(name, wire(name)); }

std::optional<FolderName> FolderNames::find(std::string_view wire) const {
  const auto known = name_of_.find(wire);
  if (known != name_of_.end()) return known->second;
  return std::nullopt;
}

std::string FolderNames::wire(const FolderName& name) const {
  const auto known = wire_of_.find(name);
  if (known != wire_of_.end()) return known->second;
  if (name.is_inbox()) return "INBOX";
  const auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::rejected,
                 fmt::format("the folder name {} cannot be used on this server: {}",
                             printable(name.to_string()), why));
  };
  if (name.levels().size() > 1 && !delimiter_) throw refuse("it has no folders inside folders");
  std::string wire = prefix_;
  for (std::size_t i = 0; i < name.levels().size(); ++i) {
    const auto encoded = mail::encode_mod_utf7(name.levels()[i]);
    if (!encoded || encoded->empty()) throw refuse("a level is empty or not UTF-8");
    if (encoded->find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
      throw refuse("it holds control characters");
    }
    if (delimiter_ && encoded->find(*delimiter_) != std::string::npos) {
      throw refuse(fmt::format("it holds the delimiter {}", *delimiter_));
    }
    if (i > 0) wire += *delimiter_;
    wire += *encoded;
  }
  return wire;
}

}  // namespace postferry::imap
