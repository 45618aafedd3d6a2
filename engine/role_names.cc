#include "engine/role_names.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace postferry {

namespace {

struct Known {
  std::string_view name;  // ASCII in lower case
  Role role;
};

constexpr auto kKnown = std::to_array<Known>({
    {"sent", Role::sent},
    {"sent items", Role::sent},
    {"sent mail", Role::sent},
    {"sent messages", Role::sent},
    {"gesendet", Role::sent},
    {"gesendete elemente", Role::sent},
    {"gesendete objekte", Role::sent},
    {"envoyés", Role::sent},
    {"messages envoyés", Role::sent},
    {"éléments envoyés", Role::sent},
    {"enviados", Role::sent},
    {"elementos enviados", Role::sent},
    {"mensajes enviados", Role::sent},
    {"itens enviados", Role::sent},
    {"inviata", Role::sent},
    {"posta inviata", Role::sent},
    {"verzonden", Role::sent},
    {"verzonden items", Role::sent},
    {"skickat", Role::sent},
    {"sendt", Role::sent},
    {"sendte elementer", Role::sent},
    {"lähetetyt", Role::sent},
    {"wysłane", Role::sent},
    {"odeslané", Role::sent},
    {"odoslané", Role::sent},
    {"elküldött", Role::sent},
    {"отправленные", Role::sent},
    {"надіслані", Role::sent},
    {"gönderilmiş", Role::sent},
    {"已发送", Role::sent},
    {"已发送邮件", Role::sent},
    {"寄件備份", Role::sent},
    {"送信済み", Role::sent},
    {"送信済みアイテム", Role::sent},
    {"보낸 편지함", Role::sent},
    {"drafts", Role::drafts},
    {"draft", Role::drafts},
    {"entwürfe", Role::drafts},
    {"entwurf", Role::drafts},
    {"brouillons", Role::drafts},
    {"borradores", Role::drafts},
    {"rascunhos", Role::drafts},
    {"bozze", Role::drafts},
    {"concepten", Role::drafts},
    {"utkast", Role::drafts},
    {"kladder", Role::drafts},
    {"luonnokset", Role::drafts},
    {"szkice", Role::drafts},
    {"kopie robocze", Role::drafts},
    {"koncepty", Role::drafts},
    {"piszkozatok", Role::drafts},
    {"черновики", Role::drafts},
    {"чернетки", Role::drafts},
    {"taslaklar", Role::drafts},
    {"草稿", Role::drafts},
    {"草稿箱", Role::drafts},
    {"下書き", Role::drafts},
    {"임시 보관함", Role::drafts},
    {"trash", Role::trash},
    {"deleted", Role::trash},
    {"deleted items", Role::trash},
    {"deleted messages", Role::trash},
    {"papierkorb", Role::trash},
    {"gelöscht", Role::trash},
    {"gelöschte elemente", Role::trash},
    {"gelöschte objekte", Role::trash},
    {"corbeille", Role::trash},
    {"éléments supprimés", Role::trash},
    {"papelera", Role::trash},
    {"elementos eliminados", Role::trash},
    {"lixeira", Role::trash},
    {"lixo", Role::trash},
    {"itens excluídos", Role::trash},
    {"cestino", Role::trash},
    {"posta eliminata", Role::trash},
    {"prullenbak", Role::trash},
    {"verwijderde items", Role::trash},
    {"papperskorgen", Role::trash},
    {"papirkurv", Role::trash},
    {"slettet post", Role::trash},
    {"roskakori", Role::trash},
    {"kosz", Role::trash},
    {"koš", Role::trash},
    {"kôš", Role::trash},
    {"lomtár", Role::trash},
    {"törölt elemek", Role::trash},
    {"корзина", Role::trash},
    {"удаленные", Role::trash},
    {"кошик", Role::trash},
    {"çöp kutusu", Role::trash},
    {"已删除", Role::trash},
    {"已删除邮件", Role::trash},
    {"ごみ箱", Role::trash},
    {"휴지통", Role::trash},
    {"junk", Role::junk},
    {"junk mail", Role::junk},
    {"junk e-mail", Role::junk},
    {"junk email", Role::junk},
    {"spam", Role::junk},
    {"bulk mail", Role::junk},
    {"spamverdacht", Role::junk},
    {"unerwünscht", Role::junk},
    {"werbung", Role::junk},
    {"courrier indésirable", Role::junk},
    {"indésirables", Role::junk},
    {"correo no deseado", Role::junk},
    {"lixo eletrônico", Role::junk},
    {"posta indesiderata", Role::junk},
    {"ongewenst", Role::junk},
    {"ongewenste e-mail", Role::junk},
    {"skräppost", Role::junk},
    {"søppelpost", Role::junk},
    {"roskaposti", Role::junk},
    {"nevyžádaná pošta", Role::junk},
    {"levélszemét", Role::junk},
    {"спам", Role::junk},
    {"垃圾邮件", Role::junk},
    {"迷惑メール", Role::junk},
    {"스팸함", Role::junk},
    {"archive", Role::archive},
    {"archives", Role::archive},
    {"archiv", Role::archive},
    {"archivo", Role::archive},
    {"archivio", Role::archive},
    {"arquivo", Role::archive},
    {"archief", Role::archive},
    {"arkiv", Role::archive},
    {"arkisto", Role::archive},
    {"archiwum", Role::archive},
    {"архив", Role::archive},
    {"归档", Role::archive},
    {"アーカイブ", Role::archive},
});

/// Lower case for ASCII, and for Latin-1 and Cyrillic capitals as UTF-8: enough for the table.
std::string folded(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c + 32);
    } else if (c == 0xC3 && next >= 0x80 && next <= 0x9E && next != 0x97) {
      out += text[i++];
      out += static_cast<char>(next + 0x20);
    } else if (c == 0xD0 && next >= 0x90 && next <= 0x9F) {
      out += text[i++];
      out += static_cast<char>(next + 0x20);
    } else if (c == 0xD0 && next >= 0xA0 && next <= 0xAF) {
      out += '\xD1';
      out += static_cast<char>(next - 0x20);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

Role role_by_name(const FolderName& folder) {
  if (folder.empty()) return Role::none;
  if (folder.is_inbox()) return Role::inbox;
  const std::string name = folded(folder.levels().back());
  const auto at = std::ranges::find(kKnown, name, &Known::name);
  return at == kKnown.end() ? Role::none : at->role;
}

}  // namespace postferry
