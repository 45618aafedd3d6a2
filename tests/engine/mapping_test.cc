#include "engine/mapping.h"

#include <catch2/catch.hpp>

using namespace postferry;

namespace {

FolderInfo folder(const char* name, Role role = Role::none) {
  FolderInfo info;
  info.name = FolderName::parse(name);
  info.role = info.name.is_inbox() ? Role::inbox : role;
  return info;
}

std::string target_of(const Mapping& mapping, const char* source) {
  for (const MappedFolder& mapped : mapping.folders)
    if (mapped.source.name == FolderName::parse(source)) return mapped.target.to_string();
  return "(not mapped)";
}

}  // namespace

TEST_CASE("names that the target can store stay as they are") {
  MappingRequest request;
  request.source = {folder("INBOX"), folder("Work/Projects"), folder("Grüße"), folder("a.b")};
  const Mapping mapping = map_folders(request);
  for (const char* name : {"INBOX", "Work/Projects", "Grüße", "a.b"})
    CHECK(target_of(mapping, name) == name);
  CHECK(mapping.notes.empty());
}

TEST_CASE("a role goes to the target's folder of that role, whatever its name") {
  MappingRequest request;
  request.source = {folder("Gesendet", Role::sent), folder("Papierkorb", Role::trash)};
  request.target = {folder("Sent", Role::sent)};
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "Gesendet") == "Sent");
  CHECK(target_of(mapping, "Papierkorb") == "Papierkorb");
  CHECK(mapping.folders[1].role == Role::trash);
  CHECK(mapping.notes.size() == 1);
}

TEST_CASE("a server that declares no roles is read by its names, in many languages") {
  MappingRequest request;
  request.source = {folder("Éléments envoyés"), folder("ЧЕРНОВИКИ"), folder("INBOX/Papelera")};
  request.target = {folder("Sent", Role::sent), folder("Drafts", Role::drafts),
                    folder("Trash", Role::trash)};
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "Éléments envoyés") == "Sent");
  CHECK(target_of(mapping, "ЧЕРНОВИКИ") == "Drafts");
  CHECK(target_of(mapping, "INBOX/Papelera") == "Trash");
}

TEST_CASE("where roles are declared, a name alone means nothing") {
  MappingRequest request;
  request.source = {folder("Sent Mail", Role::sent), folder("Gesendet")};
  request.target = {folder("Sent", Role::sent)};
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "Sent Mail") == "Sent");
  CHECK(target_of(mapping, "Gesendet") == "Gesendet");
}

TEST_CASE("two source folders never fall into one") {
  MappingRequest request;
  request.traits.delimiter = '.';
  request.source = {folder("Gesendet", Role::sent), folder("Sent"), folder("a.b"), folder("a_b")};
  request.target = {folder("Sent", Role::sent)};
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "Gesendet") == "Sent");
  CHECK(target_of(mapping, "Sent") == "Sent_2");
  CHECK(target_of(mapping, "a_b") == "a_b");
  CHECK(target_of(mapping, "a.b") == "a_b_2");
}

TEST_CASE("case clashes are parted where the target ignores case") {
  MappingRequest request;
  request.traits.names_ignore_case = true;
  request.source = {folder("Work"), folder("work")};
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "Work") != target_of(mapping, "work"));
}

TEST_CASE("what a target cannot store is replaced, and said") {
  MappingRequest request;
  request.traits.forbidden_chars = "%\"\\";
  request.source = {folder("50%25 \"off\""), folder("tab\there")};
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "50%25 \"off\"") == "50_ _off_");
  CHECK(target_of(mapping, "tab\there") == "tab_here");
  CHECK(mapping.notes.size() == 2);
}

TEST_CASE("a wish moves a folder and all below it") {
  MappingRequest request;
  request.wishes = {{FolderName::parse("Old"), FolderName::parse("Archive/Old")}};
  request.source = {folder("Old"), folder("Old/2019"), folder("Older")};
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "Old") == "Archive/Old");
  CHECK(target_of(mapping, "Old/2019") == "Archive/Old/2019");
  CHECK(target_of(mapping, "Older") == "Older");
}

TEST_CASE("a wish for the level above all moves every folder, but those of earlier wishes") {
  MappingRequest request;
  request.wishes = {{FolderName::parse("Old"), FolderName::parse("Older")},
                    {FolderName(), FolderName::parse("Work")}};
  request.source = {folder("INBOX"), folder("Old/2019"), folder("Sent", Role::sent)};
  request.target = {folder("INBOX"), folder("Sent", Role::sent)};
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "INBOX") == "Work/INBOX");
  CHECK(target_of(mapping, "Sent") == "Work/Sent");
  CHECK(target_of(mapping, "Old/2019") == "Older/2019");
}

TEST_CASE("what an earlier run decided stays") {
  MappingRequest request;
  request.source = {folder("Gesendet", Role::sent)};
  request.target = {folder("Sent", Role::sent)};
  request.decided = {{FolderName::parse("Gesendet"), FolderName::parse("Gesendet")}};
  CHECK(target_of(map_folders(request), "Gesendet") == "Gesendet");
}

TEST_CASE("folders that show mail of others are left out") {
  MappingRequest request;
  request.source = {folder("INBOX"), folder("All Mail", Role::all),
                    folder("Starred", Role::flagged)};
  const Mapping mapping = map_folders(request);
  CHECK(mapping.folders.size() == 1);
  CHECK(mapping.left_out.size() == 2);
}

TEST_CASE("a folder that was decided keeps its target from a new folder with the role for it") {
  MappingRequest request;
  request.source = {folder("Gesendet", Role::sent), folder("Sent")};
  request.target = {folder("Sent", Role::sent)};
  request.decided = {{FolderName::parse("Sent"), FolderName::parse("Sent")}};
  if (GENERATE(false, true)) request.source.pop_back();  // it is not to be carried this time
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "Gesendet") == "Gesendet");
  if (request.source.size() > 1) CHECK(target_of(mapping, "Sent") == "Sent");
}

TEST_CASE("what a folder went to that is gone from the source is free for its new name") {
  MappingRequest request;
  request.source = {folder("Gesendet", Role::sent)};
  request.target = {folder("Sent", Role::sent)};
  request.decided = {{FolderName::parse("Sent"), FolderName::parse("Sent")}};
  leave_out_what_is_gone(request.decided, request.source);
  CHECK(target_of(map_folders(request), "Gesendet") == "Sent");
}

TEST_CASE("a decided folder stays where it is, and a wish against it is not passed over silently") {
  MappingRequest request;
  request.source = {folder("A"), folder("B")};
  request.decided = {{FolderName::parse("A"), FolderName::parse("Old")},
                     {FolderName::parse("B"), FolderName::parse("B")}};
  request.wishes = {{FolderName::parse("A"), FolderName::parse("New")},
                    {FolderName::parse("B"), FolderName::parse("B")}};
  const Mapping mapping = map_folders(request);
  CHECK(target_of(mapping, "A") == "Old");
  REQUIRE(mapping.notes.size() == 1);
  CHECK(mapping.notes[0].find("--map") != std::string::npos);
}

TEST_CASE("a plainer name replaces what a server may have against one, and stays one of its own") {
  const auto plainer = [](const char* text) {
    const auto name = plainer_name(FolderName::parse(text));
    return name ? name->to_string() : "(none)";
  };
  CHECK(plainer("Work/Old mail_1-2") == "(none)");
  CHECK(plainer("INBOX") == "(none)");
  CHECK(plainer("INBOX/Work") == "(none)");
  CHECK(plainer("INBOX/INBOX").substr(0, 12) == "INBOX/INBOX_");
  CHECK(plainer("Old/Inbox/x").substr(0, 10) == "Old/Inbox_");
  CHECK(plainer("Work/a:b").substr(0, 9) == "Work/a_b_");
  CHECK(plainer("Work/a:b") != plainer("Work/a;b"));
  // Below the same folder, whatever its own name.
  CHECK(FolderName::parse(plainer("a:b/x")).levels()[0] == plainer("a:b"));
  CHECK(plainer("Gr\u00fc\u00dfe: 1").substr(0, 11) == "Gr\u00fc\u00dfe_ 1_");
  CHECK(plainer("Gr\u00fc\u00dfe").substr(0, 6) == "Gr__e_");
  CHECK(plainer(std::string(300, 'x').c_str()).size() == 67);
}
