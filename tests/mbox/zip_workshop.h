// Zip archives for tests, written by other code than what reads them.
#pragma once

#include <minizip/zip.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace postferry::mbox::test {

struct ZippedFile {
  std::string name, bytes;
  bool deflated = true;
  bool zip64 = false;
};

inline void write_zip(const std::string& path, const std::vector<ZippedFile>& files) {
  const zipFile zip = zipOpen64(path.c_str(), APPEND_STATUS_CREATE);
  if (zip == nullptr) throw std::runtime_error("cannot make " + path);
  bool good = true;
  for (const ZippedFile& file : files) {
    zip_fileinfo info{};
    good = good &&
           zipOpenNewFileInZip64(zip, file.name.c_str(), &info, nullptr, 0, nullptr, 0, nullptr,
                                 file.deflated ? Z_DEFLATED : 0, 6, file.zip64 ? 1 : 0) == ZIP_OK;
    good = good && zipWriteInFileInZip(zip, file.bytes.data(),
                                       static_cast<unsigned>(file.bytes.size())) == ZIP_OK;
    good = good && zipCloseFileInZip(zip) == ZIP_OK;
  }
  if (zipClose(zip, nullptr) != ZIP_OK || !good) throw std::runtime_error("cannot write " + path);
}

}  // namespace postferry::mbox::test
