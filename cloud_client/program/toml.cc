// toml++'s own code, in the program instead of a shared library (see CMakeLists.txt).

// Nobody writes TOML here; the formatters alone would need libm.
#define TOML_ENABLE_FORMATTERS 0
#define TOML_IMPLEMENTATION
#include <toml++/toml.h>
