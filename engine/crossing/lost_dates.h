// Dates of arrival that a source tells in no way that can be read (NIL, 31-Feb) or be true (the
// year 9999): the copies have other ones, which is said.
#pragma once

#include <vector>

#include "engine/catalogue.h"
#include "engine/observer.h"
#include "engine/source.h"

namespace postferry {

class LostDates {
 public:
  /// The message has crossed; so it was listed, and so it came.
  void note(const Catalogue::Entry& listed, const Message& message);
  void add(const LostDates& more);
  /// Warns of all, and forgets them.
  void tell(Observer& observer, const FolderName& folder);

 private:
  std::vector<MessageKey> by_header_;  // have the date of their header
  std::vector<MessageKey> none_;       // have none there, either
};

}  // namespace postferry
