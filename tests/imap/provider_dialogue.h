// Reading from one provider's server, for the tests of the list of providers.
#pragma once

#include <string>
#include <vector>

#include "tests/imap/port_dialogue.h"

namespace postferry::imap::testing {

inline const FolderName kInbox({"INBOX"});
inline constexpr const char* kItems = "(UID FLAGS INTERNALDATE BODY.PEEK[])";

/// Selects INBOX, reads its catalogue and fetches all of it.
struct Read {
  std::string told, remark;
  std::size_t listed = 0;
  int crawls = 0;
  std::optional<Error> error;
};
inline Read read_all(const Provider& provider, const Dialogue& script) {
  Read read;
  read.error =
      with_source(provider, script,
                  [&read](Source&, SourceSession& session, std::vector<FolderInfo>) -> Task<void> {
                    read = {};
                    co_await session.select(kInbox);
                    const Catalogue catalogue = co_await session.catalogue();
                    read.listed = catalogue.size();
                    read.remark = catalogue.remark;
                    Keeper keeper;
                    co_await session.fetch(entries(catalogue), keeper);
                    read.told = keeper.told;
                    read.crawls = keeper.crawls;
                  });
  return read;
}

inline Dialogue lists(const std::string& tag, const std::vector<std::string>& lines) {
  Dialogue d;
  d.c(tag + " UID FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)");
  for (const std::string& line : lines) d.s(line);
  d.s(tag + " OK");
  return d;
}

}  // namespace postferry::imap::testing
