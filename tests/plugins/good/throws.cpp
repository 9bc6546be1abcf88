// A C++ plugin: static constructors, exceptions, threads with thread-local state, the standard library.
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {
struct Registry {
	std::vector<std::string> names;
	Registry() { names = { "one", "two", "three" }; }
};
Registry registry;
thread_local int local = 0;
} // namespace

extern "C" int registered() { return static_cast<int>(registry.names.size()); }

extern "C" int catches(int deep) {
	try {
		if (deep > 0) return catches(deep - 1) + 1;
		throw std::runtime_error("thrown on purpose");
	} catch (const std::runtime_error &error) {
		return static_cast<int>(std::string(error.what()).size());
	}
}

extern "C" int uncaught() { throw std::runtime_error("nobody catches this"); }

extern "C" int threads(int count) {
	std::vector<std::thread> all;
	std::vector<int> results(count);
	for (int at = 0; at < count; at++)
		all.emplace_back([at, &results] { local = at; results[at] = local; });
	int total = 0;
	for (auto &thread : all) thread.join();
	for (int result : results) total += result;
	return total;
}
