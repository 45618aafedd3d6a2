// Folder names between the wire (prefix, delimiter, modified UTF-7) and the engine's levels of
// UTF-8. It remembers how each listed folder is spelled, for names that do not survive the way
// there and back. It sends nothing.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "connectors/imap/codec/response.h"
#include "engine/model.h"

namespace postferry::imap {

/// A folder as LIST tells of it.
struct ListedName {
  std::string wire;
  std::optional<char> delimiter;
};

/// One account's names, shared by all its sessions (one loop: no lock).
class FolderNames {
 public:
  /// From NAMESPACE (RFC 2342); the first personal one counts.
  void set_namespaces(NamespaceData namespaces);
  /// Where NAMESPACE is not offered: the answer to LIST "" "".
  void set_delimiter(std::optional<char> delimiter);
  /// What a `/` inside a level is listed as, where a server cannot show it.
  void set_slash_spelling(std::string spelling) { slash_spelling_ = std::move(spelling); }
  /// '\0': no hierarchy.
  char delimiter() const { return delimiter_.value_or('\0'); }
  const std::string& prefix() const { return prefix_; }

  /// A whole listing, in any order. What is not the user's own (other users', shared) has no name
  /// here, nor has the bare root of the namespace. Two wire names never share one: what we would
  /// write so ourselves has it, or the first in byte order, and others get a suffix that is made of
  /// how they are spelled. What had a name keeps it.
  void learn(std::vector<ListedName> listing);
  /// As listed, else as it would be created. Throws Error{rejected} when it has no spelling here.
  std::string wire(const FolderName& name) const;
  /// The folder exists now under wire(name).
  void created(const FolderName& name);
  /// The name of a wire name that has been learned.
  std::optional<FolderName> find(std::string_view wire) const;

 private:
  bool personal(std::string_view wire) const;
  FolderName decode(std::string_view wire, std::optional<char> delimiter) const;
  bool spelled_as_ours(std::string_view wire, const FolderName& name) const;
  void keep(FolderName name, std::string wire);

  NamespaceData namespaces_;
  std::string prefix_;
  std::optional<char> delimiter_ = '/';
  std::string slash_spelling_;
  std::map<FolderName, std::string> wire_of_;
  std::map<std::string, FolderName, std::less<>> name_of_;
};

}  // namespace postferry::imap
