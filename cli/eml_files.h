// Messages as .eml files of their own: names that no server can choose, for the owner alone.
#pragma once

#include <string>
#include <string_view>

#include "engine/body.h"
#include "engine/model.h"

namespace postferry::cli {

/// A name for a file or a directory: letters and digits of `text`, and a hash of all of it that
/// keeps names apart.
std::string safe_name(std::string_view text);

/// Of a message of a source folder: "INBOX-UID-17-5d2c83fa.eml".
std::string eml_name(const FolderName& folder, const MessageKey& key);

/// Makes the directory for the owner alone, on the disk when it returns; one that is there is left
/// as it is. Throws Error{local}.
void make_directory(const std::string& path);

/// Writes the body to a file of its own, mode 0600, it and its name on the disk when it returns,
/// and never over one that is there: false where that holds anything else. Under that name there is
/// all of it or nothing. Throws Error{local}.
Task<bool> write_eml(Body body, std::string path);

/// Writes a short text so, in place of any that is there. Throws Error{local}.
void write_text_file(std::string_view text, const std::string& path);

}  // namespace postferry::cli
