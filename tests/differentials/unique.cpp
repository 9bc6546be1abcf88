// ok11: what an ordinary C++ library is: weak and unique symbols, an initialiser, a dependency on the C++ library.
#include <string>

template <typename T> struct Shared { static T value; };
template <typename T> T Shared<T>::value = T(7);
static std::string greeting = std::string(40, 'x');

extern "C" long plugin_abi() { return static_cast<long>(Shared<int>::value + static_cast<int>(greeting.size()) - 46); }
