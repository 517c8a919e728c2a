# Writes OUTPUT, a .cc that defines FindWebFile (alertd/api/web_files.h) with FILES in it, each by its name; index.html is "/":
#   cmake -DFILES="/path/index.html|/path/page.css" -DOUTPUT=web_files.cc -P EmbedWeb.cmake
string(REPLACE "|" ";" files "${FILES}")
set(arrays "")
set(entries "")
set(number 0)
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND arrays "constexpr char kFile${number}[] = {${bytes}'\\0'};\n")
  if(name MATCHES "\\.html$")
    set(type "text/html; charset=utf-8")
  elseif(name MATCHES "\\.css$")
    set(type "text/css; charset=utf-8")
  elseif(name MATCHES "\\.js$")
    set(type "text/javascript; charset=utf-8")
  elseif(name MATCHES "\\.svg$")
    set(type "image/svg+xml")
  else()
    message(FATAL_ERROR "${name}: no content type is known for it")
  endif()
  if(name STREQUAL "index.html")
    set(path "/")
  else()
    set(path "/${name}")
  endif()
  string(APPEND entries
         "    {\"${path}\", \"${type}\", {kFile${number}, sizeof kFile${number} - 1}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUTPUT}
"#include <array>

#include \"alertd/api/web_files.h\"

namespace atalaya::alertd {
namespace {
${arrays}
constexpr std::array<WebFile, ${number}> kFiles = {{
${entries}}};
}  // namespace

const WebFile* FindWebFile(std::string_view path) {
  for (const WebFile& file : kFiles) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

}  // namespace atalaya::alertd
")
