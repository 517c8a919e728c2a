// toml++'s own code, in the program instead of a shared library (see ../CMakeLists.txt).

#define TOML_IMPLEMENTATION
#include <toml++/toml.h>
