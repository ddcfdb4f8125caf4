// hnswlib by its C++ header, under the line protocol of bench/ann (see peer.go):
// a command a line on stdin, a line of JSON back.
//
//   hnswlib DIR DIM K M EFC SEED METRIC    DIR holds train.f32 and query.f32
//   build THREADS | save FILE | load FILE | search EF THREADS
//
// search writes DIR/labels (int32, K a query, -1 where there is none) and
// DIR/micros (float32, a query's latency).
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "hnswlib/hnswlib.h"

static std::vector<float> floats(const std::string &path) {
  std::ifstream f(path, std::ios::binary | std::ios::ate);
  std::vector<float> v(f.tellg() / sizeof(float));
  f.seekg(0);
  f.read(reinterpret_cast<char *>(v.data()), v.size() * sizeof(float));
  if (!f) throw std::runtime_error("cannot read " + path);
  return v;
}

template <typename T>
static void write(const std::string &path, const std::vector<T> &v) {
  std::ofstream f(path, std::ios::binary);
  f.write(reinterpret_cast<const char *>(v.data()), v.size() * sizeof(T));
}

static double wall() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

static double cpu() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + 1e-6 * (u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

// memory is the process's, in bytes: anonymous, of files, in huge pages.
static std::string memory() {
  std::ifstream f("/proc/self/smaps_rollup");
  std::string line;
  long rss = 0, anon = 0, huge = 0, n;
  while (std::getline(f, line)) {
    if (std::sscanf(line.c_str(), "Rss: %ld", &n) == 1) rss = n;
    if (std::sscanf(line.c_str(), "Anonymous: %ld", &n) == 1) anon = n;
    if (std::sscanf(line.c_str(), "AnonHugePages: %ld", &n) == 1) huge = n;
  }
  std::ostringstream o;
  o << "{\"anon\":" << anon * 1024 << ",\"file\":" << (rss - anon) * 1024 << ",\"huge\":" << huge * 1024 << "}";
  return o.str();
}

// collapse puts the large blocks into huge pages; malloc was told to ask for
// them (GLIBC_TUNABLES), but a block written before is not always given them.
static void collapse() {
  std::ifstream f("/proc/self/maps");
  std::string line;
  const uintptr_t huge = 2 << 20;
  while (std::getline(f, line)) {
    unsigned long from, to;
    char mode[8];
    unsigned long offset, inode = 1;
    if (std::sscanf(line.c_str(), "%lx-%lx %7s %lx %*s %lu", &from, &to, mode, &offset, &inode) < 5) continue;
    if (mode[0] != 'r' || mode[1] != 'w' || inode != 0 || line.find("[stack]") != std::string::npos) continue;
    uintptr_t a = (from + huge - 1) / huge * huge, b = to / huge * huge;
    if (a >= b) continue;
    for (; a < b; a += huge) {  // one by one: the call ends at the first that it cannot
      madvise(reinterpret_cast<void *>(a), huge, MADV_HUGEPAGE);
      madvise(reinterpret_cast<void *>(a), huge, 25 /* MADV_COLLAPSE */);
    }
  }
}

// parallel runs f(i) for all i below n on so many threads, shared out one by one as the queue goes.
template <typename F>
static void parallel(size_t n, int threads, F f) {
  if (threads <= 1) {
    for (size_t i = 0; i < n; i++) f(i);
    return;
  }
  std::atomic<size_t> next{0};
  std::vector<std::thread> pool;
  for (int t = 0; t < threads; t++)
    pool.emplace_back([&] {
      for (size_t i; (i = next++) < n;) f(i);
    });
  for (auto &t : pool) t.join();
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  const std::string dir = argv[1], metric = argv[7];
  const size_t dim = std::stoul(argv[2]), k = std::stoul(argv[3]), m = std::stoul(argv[4]), efc = std::stoul(argv[5]);
  const size_t seed = std::stoul(argv[6]);
  const auto train = floats(dir + "/train.f32"), query = floats(dir + "/query.f32");
  const size_t n = train.size() / dim, queries = query.size() / dim;
  const bool cosine = metric == "cosine";
  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  if (metric == "l2")
    space = std::make_unique<hnswlib::L2Space>(dim);
  else
    space = std::make_unique<hnswlib::InnerProductSpace>(dim);
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;

  // As hnswlib's own Python binding does for cosine.
  auto normalized = [&](const float *v, float *out) {
    float s = 0;
    for (size_t i = 0; i < dim; i++) s += v[i] * v[i];
    s = 1.0f / (std::sqrt(s) + 1e-30f);
    for (size_t i = 0; i < dim; i++) out[i] = v[i] * s;
    return out;
  };
  std::vector<int32_t> labels(queries * k);
  std::vector<float> micros(queries);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream in(line);
    std::string command, file;
    int threads = 1, ef = 0;
    in >> command;
    const std::string before = memory();
    double w = wall(), c = cpu();
    if (command == "build") {
      in >> threads;
      index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), n, m, efc, seed);
      auto add = [&](size_t i) {
        thread_local std::vector<float> unit(dim);
        const float *v = &train[i * dim];
        index->addPoint(cosine ? normalized(v, unit.data()) : v, i);
      };
      add(0);
      parallel(n - 1, threads, [&](size_t i) { add(i + 1); });
    } else if (command == "load") {
      in >> file;
      index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), file);
    } else if (command == "save") {
      in >> file;
      index->saveIndex(file);
    } else if (command == "search") {
      in >> ef >> threads;
      index->setEf(ef);
      auto search = [&](size_t i) {
        thread_local std::vector<float> unit(dim);
        const double at = wall();
        const float *v = &query[i * dim];
        auto top = index->searchKnn(cosine ? normalized(v, unit.data()) : v, k);
        size_t j = top.size();
        std::fill(&labels[i * k] + j, &labels[i * k] + k, -1);
        for (; j > 0; top.pop()) labels[i * k + --j] = static_cast<int32_t>(top.top().second);
        micros[i] = 1e6 * (wall() - at);
      };
      for (size_t i = 0; i < queries / 4; i++) search(i);  // warm up
      w = wall(), c = cpu();
      parallel(queries, threads, search);
    } else {
      return 2;
    }
    const double seconds = wall() - w, spent = cpu() - c;
    const std::string after = memory();
    if (command == "build" || command == "load") collapse();
    if (command == "search") {
      write(dir + "/labels", labels);
      write(dir + "/micros", micros);
    }
    std::cout << "{\"seconds\":" << seconds << ",\"cpu\":" << spent << ",\"before\":" << before
              << ",\"after\":" << after << ",\"huge\":" << memory() << "}" << std::endl;
  }
}
