// An export of mail as an archive: the mboxes of one bundle, their messages filed by their labels
// where they have any (Google Takeout), else by the mbox they are in.
//
// Google puts a message into the mbox of each of its labels: by its number it is one message here.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "connectors/files/archive.h"
#include "connectors/mbox/bundle.h"
#include "connectors/mbox/codec/gmail_labels.h"

namespace postferry::mbox {

/// What all sessions of one run know together, so that an export is read through once.
class ExportIndex;
using OpenBundle = std::function<std::unique_ptr<Bundle>()>;
std::shared_ptr<ExportIndex> make_export_index(OpenBundle open, LabelsAs labels, std::string path);

/// A session's view. Nothing is ever removed from it: Error{rejected}.
std::unique_ptr<files::Archive> open_export(std::shared_ptr<ExportIndex> index);

}  // namespace postferry::mbox
