#include "connectors/mbox/codec/gmail_labels.h"

#include <algorithm>
#include <array>

#include "connectors/mail/encoded_words.h"
#include "connectors/mail/header_scan.h"
#include "connectors/mail/mod_utf7.h"

namespace postferry::mbox {
namespace {

enum class Meaning { label, spam, trash, drafts, inbox, sent, starred, important, unread, nothing };

struct Word {
  std::string_view text;
  Meaning meaning;
};

constexpr auto kWords = std::to_array<Word>({
    {"Inbox", Meaning::inbox},
    {"Posteingang", Meaning::inbox},
    {"Boîte de réception", Meaning::inbox},
    {"Recibidos", Meaning::inbox},
    {"Bandeja de entrada", Meaning::inbox},
    {"Posta in arrivo", Meaning::inbox},
    {"Postvak IN", Meaning::inbox},
    {"Caixa de entrada", Meaning::inbox},
    {"Sent", Meaning::sent},
    {"Gesendet", Meaning::sent},
    {"Envoyé", Meaning::sent},
    {"Envoyés", Meaning::sent},
    {"Messages envoyés", Meaning::sent},
    {"Enviado", Meaning::sent},
    {"Enviados", Meaning::sent},
    {"Inviati", Meaning::sent},
    {"Posta inviata", Meaning::sent},
    {"Verzonden", Meaning::sent},
    {"Draft", Meaning::drafts},
    {"Drafts", Meaning::drafts},
    {"Entwürfe", Meaning::drafts},
    {"Brouillons", Meaning::drafts},
    {"Borradores", Meaning::drafts},
    {"Bozze", Meaning::drafts},
    {"Concepten", Meaning::drafts},
    {"Rascunhos", Meaning::drafts},
    {"Spam", Meaning::spam},
    {"Trash", Meaning::trash},
    {"Papierkorb", Meaning::trash},
    {"Corbeille", Meaning::trash},
    {"Papelera", Meaning::trash},
    {"Cestino", Meaning::trash},
    {"Prullenbak", Meaning::trash},
    {"Lixeira", Meaning::trash},
    {"Starred", Meaning::starred},
    {"Markiert", Meaning::starred},
    {"Suivis", Meaning::starred},
    {"Messages suivis", Meaning::starred},
    {"Destacado", Meaning::starred},
    {"Destacados", Meaning::starred},
    {"Speciali", Meaning::starred},
    {"Met ster", Meaning::starred},
    {"Com estrela", Meaning::starred},
    {"Important", Meaning::important},
    {"Wichtig", Meaning::important},
    {"Importante", Meaning::important},
    {"Importantes", Meaning::important},
    {"Importanti", Meaning::important},
    {"Belangrijk", Meaning::important},
    {"Unread", Meaning::unread},
    {"Ungelesen", Meaning::unread},
    {"Non lus", Meaning::unread},
    {"No leído", Meaning::unread},
    {"No leídos", Meaning::unread},
    {"Non letti", Meaning::unread},
    {"Da leggere", Meaning::unread},
    {"Ongelezen", Meaning::unread},
    {"Não lida", Meaning::unread},
    {"Não lidas", Meaning::unread},
    {"Opened", Meaning::nothing},
    {"Geöffnet", Meaning::nothing},
    {"Ouvert", Meaning::nothing},
    {"Abierto", Meaning::nothing},
    {"Abiertos", Meaning::nothing},
    {"Aperto", Meaning::nothing},
    {"Aperti", Meaning::nothing},
    {"Geopend", Meaning::nothing},
    {"Aberto", Meaning::nothing},
    {"Archived", Meaning::nothing},
    {"Archiviert", Meaning::nothing},
    {"Archivés", Meaning::nothing},
    {"Messages archivés", Meaning::nothing},
    {"Archivado", Meaning::nothing},
    {"Archivados", Meaning::nothing},
    {"Archiviati", Meaning::nothing},
    {"Gearchiveerd", Meaning::nothing},
    {"Arquivado", Meaning::nothing},
    {"Arquivados", Meaning::nothing},
});

/// The tabs of Gmail's inbox, which it gives by itself.
constexpr std::array<std::string_view, 6> kCategories{
    "Category ", "Kategorie: ", "Catégorie\u00a0: ", "Categoría: ", "Categoria: ", "Categorie: "};
/// What an IMAP client gave the message as a keyword.
constexpr std::string_view kFromImap = "IMAP_";

struct Shelf {
  Meaning meaning;
  const char* name;
  Role role;
};
/// Gmail's folders, the one that says most of a message first.
constexpr std::array<Shelf, 5> kShelves{{{Meaning::spam, "Spam", Role::junk},
                                         {Meaning::trash, "Trash", Role::trash},
                                         {Meaning::drafts, "Drafts", Role::drafts},
                                         {Meaning::inbox, "INBOX", Role::inbox},
                                         {Meaning::sent, "Sent", Role::sent}}};

Meaning meaning_of(std::string_view label) {
  const auto at = std::ranges::find(kWords, label, &Word::text);
  return at == kWords.end() ? Meaning::label : at->meaning;
}

bool is_category(std::string_view label) {
  return std::ranges::any_of(kCategories,
                             [label](std::string_view start) { return label.starts_with(start); });
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

/// A quoted label off the front of `rest`, up to its closing quote.
std::string take_quoted(std::string_view& rest) {
  std::string out;
  rest.remove_prefix(1);
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '"') {
      if (!rest.starts_with('"')) break;  // a doubled one stands for itself
      rest.remove_prefix(1);
    } else if (c == '\\' && !rest.empty()) {
      out += rest.front();
      rest.remove_prefix(1);
      continue;
    }
    out += c;
  }
  return out;
}

FolderName folder_of_label(std::string_view label) {
  std::vector<std::string> levels;
  for (const std::string_view level : mail::split_levels(label, '/')) levels.emplace_back(level);
  return FolderName(std::move(levels));
}

}  // namespace

std::vector<std::string> parse_gmail_labels(std::string_view field) {
  const std::string text = mail::decode_encoded_words(field);
  std::vector<std::string> labels;
  std::string_view rest = text;
  while (!rest.empty() && labels.size() < kMostLabels) {
    while (rest.starts_with(' ') || rest.starts_with('\t')) rest.remove_prefix(1);
    std::string label;
    if (rest.starts_with('"')) label = take_quoted(rest);
    const std::size_t end = std::min(rest.find(','), rest.size());
    label += trimmed(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (label.size() > kMostLabelBytes) label.resize(kMostLabelBytes);
    // Cut within a character, or with a character that no name has.
    while (!label.empty() && !mail::is_utf8(label)) label.pop_back();
    std::erase_if(label, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; });
    if (!label.empty()) labels.push_back(std::move(label));
  }
  return labels;
}

std::string keyword_of_label(std::string_view label) {
  std::string out = mail::encode_mod_utf7(label).value_or("");
  for (char& c : out) {
    if (c <= ' ' || c == 0x7f || std::string_view("(){}%*\"\\]/").contains(c)) c = '_';
  }
  if (out.size() > mail::kMaxKeywordBytes) out.resize(mail::kMaxKeywordBytes);
  return out;
}

std::vector<Placement> place_by_labels(const std::vector<std::string>& labels, LabelsAs as) {
  Flags flags;
  flags.system = Flags::seen;
  std::vector<Placement> places;
  std::vector<std::string_view> own;  // the user's
  std::vector<std::string> keywords;
  const auto has = [&labels](Meaning meaning) {
    return std::ranges::any_of(
        labels, [meaning](const std::string& label) { return meaning_of(label) == meaning; });
  };
  if (has(Meaning::unread)) flags.system = 0;
  if (has(Meaning::starred)) flags.system |= Flags::flagged;
  if (has(Meaning::drafts)) flags.system |= Flags::draft;
  if (has(Meaning::important)) flags.add_keyword("$Important");  // RFC 8457
  for (const std::string& label : labels) {
    if (meaning_of(label) != Meaning::label) continue;
    const std::string_view text = label;
    if (text.starts_with(kFromImap)) {
      keywords.push_back(keyword_of_label(text.substr(kFromImap.size())));
    } else if (is_category(text) || folder_of_label(text).empty()) {
      keywords.push_back(keyword_of_label(text));
    } else {
      own.push_back(text);
    }
  }
  for (const Shelf& shelf : kShelves)
    if (has(shelf.meaning)) places.push_back({FolderName::parse(shelf.name), shelf.role, {}});
  for (const std::string_view label : own) {
    FolderName folder = folder_of_label(label);
    const bool twice = std::ranges::find(places, folder, &Placement::folder) != places.end();
    const bool in_place = as == LabelsAs::folders || places.empty();
    if (!in_place) keywords.push_back(keyword_of_label(label));
    if (in_place && !twice) places.push_back({std::move(folder), Role::none, {}});
  }
  if (places.empty()) places.push_back({FolderName::parse("Archive"), Role::archive, {}});
  if (as == LabelsAs::keywords) places.resize(1);
  for (std::string& keyword : keywords)
    if (!keyword.empty()) flags.add_keyword(std::move(keyword));
  for (Placement& place : places) place.flags = flags;
  return places;
}

}  // namespace postferry::mbox
