"""Python's vector libraries under the line protocol of bench/ann (see peer.go).

    peer.py LIBRARY DIR DIM K M EFC SEED METRIC

All queries go in one call on one thread wherever the library then runs them
one after the other, so that Python's calls cost nothing; faiss' IVF would
group them and is called for each query, with the pointers made before.
"""

import ctypes
import json
import os
import sys
import time

import numpy as np

HUGE = 2 << 20
libc = ctypes.CDLL(None)
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def memory():
    rss = anon = huge = 0
    with open("/proc/self/smaps_rollup") as f:
        for line in f:
            word = line.split()
            if word[0] == "Rss:":
                rss = int(word[1]) << 10
            elif word[0] == "Anonymous:":
                anon = int(word[1]) << 10
            elif word[0] == "AnonHugePages:":
                huge = int(word[1]) << 10
    return {"anon": anon, "file": rss - anon, "huge": huge}


def collapse():
    """Puts the large anonymous blocks into huge pages (MADV_HUGEPAGE, MADV_COLLAPSE)."""
    with open("/proc/self/maps") as f:
        lines = f.read().splitlines()
    for line in lines:
        word = line.split()
        if not word[1].startswith("rw") or word[4] != "0" or (len(word) > 5 and word[5] != "[heap]"):
            continue
        a, b = (int(x, 16) for x in word[0].split("-"))
        a, b = (a + HUGE - 1) // HUGE * HUGE, b // HUGE * HUGE
        for page in range(a, b, HUGE):  # one by one: the call ends at the first that it cannot
            libc.madvise(page, HUGE, 14)
            libc.madvise(page, HUGE, 25)


def unit(v):
    return v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-30)


class Hnswlib:
    def __init__(self, o):
        import hnswlib

        self.o = o
        self.version = hnswlib.__version__ if hasattr(hnswlib, "__version__") else ""
        self.index = hnswlib.Index(space=o.metric, dim=o.dim)

    def build(self, threads):
        o = self.o
        self.index.init_index(max_elements=len(o.train), M=o.m, ef_construction=o.efc, random_seed=o.seed)
        self.index.add_items(o.train, num_threads=threads)

    def search(self, q, ef, threads):
        self.index.set_ef(max(ef, self.o.k))
        return self.index.knn_query(q, k=self.o.k, num_threads=threads)[0]

    def save(self, file):
        self.index.save_index(file)

    def load(self, file):
        self.index.load_index(file)


class Faiss:
    """IndexHNSWFlat, or IndexHNSWSQ with 8 bits whose 2k best are ranked anew with float32."""

    def __init__(self, o, kind):
        import faiss

        self.o, self.faiss, self.kind = o, faiss, kind
        self.version = faiss.__version__
        if o.metric == "cosine":
            o.train, o.query = unit(o.train), unit(o.query)
        self.metric = faiss.METRIC_L2 if o.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        faiss.omp_set_num_threads(1)

    def build(self, threads):
        o, faiss = self.o, self.faiss
        faiss.omp_set_num_threads(threads)
        if self.kind == "hnsw":
            self.index = self.graph = faiss.IndexHNSWFlat(o.dim, o.m, self.metric)
        else:
            self.graph = faiss.IndexHNSWSQ(o.dim, faiss.ScalarQuantizer.QT_8bit, o.m, self.metric)
            self.index = faiss.IndexRefineFlat(self.graph)
            self.index.k_factor = 2
        self.graph.hnsw.efConstruction = o.efc
        self.index.train(o.train)
        self.index.add(o.train)

    def search(self, q, ef, threads):
        self.faiss.omp_set_num_threads(threads)
        self.graph.hnsw.efSearch = ef
        return self.index.search(q, self.o.k)[1]

    def save(self, file):
        self.faiss.write_index(self.index, file)

    def load(self, file):
        self.index = self.faiss.read_index(file)
        self.graph = self.ivf = self.index
        if self.kind != "hnsw":
            self.graph = self.ivf = self.faiss.downcast_index(self.index.base_index)


class FaissPQ(Faiss):
    """IndexIVFPQFastScan of 4 bits for 2 components, ranked anew with float32.

    The pool size is the number of candidates that are ranked anew; half as many
    lists are looked into.
    """

    def build(self, threads):
        o, faiss = self.o, self.faiss
        faiss.omp_set_num_threads(threads)
        lists = 1 << max(1, int(np.log2(4 * len(o.train) ** 0.5)))
        # Equal in order to the inner product for vectors of length 1, and trained better.
        metric = faiss.METRIC_L2 if o.metric != "ip" else self.metric
        self.coarse = faiss.IndexFlat(o.dim, metric)
        self.ivf = faiss.IndexIVFPQFastScan(self.coarse, o.dim, lists, o.dim // 2, 4, metric)
        self.ivf.cp.seed = o.seed
        self.ivf.train(o.train)
        self.index = faiss.IndexRefineFlat(self.ivf)
        self.index.add(o.train)

    def search(self, q, ef, threads):
        self.faiss.omp_set_num_threads(threads)
        self.ivf.nprobe = max(1, ef // 2)
        self.index.k_factor = ef / self.o.k
        k, labels = self.o.k, np.empty((len(q), self.o.k), dtype=np.int64)
        if threads > 1:
            return self.index.search(q, k)[1]
        distances = np.empty(k, dtype=np.float32)
        ptr, d, search = self.faiss.swig_ptr, self.faiss.swig_ptr(distances), self.index.search_c
        calls = [(ptr(q[i : i + 1]), ptr(labels[i])) for i in range(len(q))]
        self.micros = micros = np.empty(len(q), dtype=np.float32)
        self.start()
        for i, (x, out) in enumerate(calls):
            at = time.perf_counter_ns()
            search(1, x, k, d, out)
            micros[i] = (time.perf_counter_ns() - at) / 1000
        return labels


class Usearch:
    def __init__(self, o, dtype):
        import usearch
        from usearch.index import Index

        self.o, self.version = o, usearch.__version__
        if dtype == "i8" and o.metric != "cosine":
            raise SystemExit("8 bits are for cosine only")
        metric = {"cosine": "cos", "l2": "l2sq", "ip": "ip"}[o.metric]
        self.index = Index(ndim=o.dim, metric=metric, dtype=dtype, connectivity=o.m, expansion_add=o.efc)

    def build(self, threads):
        self.index.add(np.arange(len(self.o.train)), self.o.train, threads=threads)

    def search(self, q, ef, threads):
        self.index.expansion_search = max(ef, self.o.k)
        return np.asarray(self.index.search(q, self.o.k, threads=threads).keys)

    def save(self, file):
        self.index.save(file)

    def load(self, file):
        self.index.load(file)


LIBRARIES = {
    "hnswlib": Hnswlib,
    "faiss-hnsw": lambda o: Faiss(o, "hnsw"),
    "faiss-sq8": lambda o: Faiss(o, "sq8"),
    "faiss-ivfpq": lambda o: FaissPQ(o, "ivfpq"),
    "usearch": lambda o: Usearch(o, "f32"),
    "usearch-i8": lambda o: Usearch(o, "i8"),
}


class Options:
    pass


def main():
    o = Options()
    library, folder = sys.argv[1:3]
    o.dim, o.k, o.m, o.efc, o.seed = map(int, sys.argv[3:8])
    o.metric = sys.argv[8]
    o.train = np.fromfile(os.path.join(folder, "train.f32"), dtype="<f4").reshape(-1, o.dim)
    o.query = np.fromfile(os.path.join(folder, "query.f32"), dtype="<f4").reshape(-1, o.dim)
    engine = LIBRARIES[library](o)
    clock = [0.0, 0.0]

    def start():
        clock[0], clock[1] = time.perf_counter(), time.process_time()

    engine.start = start
    print(json.dumps({"version": engine.version}), flush=True)
    for line in sys.stdin:
        word, out, labels = line.split(), {}, None
        try:
            if word[0] == "build":
                before = memory()
                start()
                engine.build(int(word[1]))
            elif word[0] == "search":
                ef, threads = int(word[1]), int(word[2])
                engine.search(o.query[: len(o.query) // 4], ef, threads)  # warm up
                engine.micros = None
                start()
                labels = engine.search(o.query, ef, threads)
            elif word[0] in ("save", "load") and hasattr(engine, word[0]):
                start()
                getattr(engine, word[0])(word[1])
            else:
                raise ValueError(f"no command {word[0]}")
            out = {"seconds": time.perf_counter() - clock[0], "cpu": time.process_time() - clock[1]}
            if word[0] == "build":
                out["before"], out["after"] = before, memory()
            if word[0] in ("build", "load"):
                collapse()
                out["huge"] = memory()
            if labels is not None:
                labels.astype("<i4").tofile(os.path.join(folder, "labels"))
                if engine.micros is not None:
                    engine.micros.tofile(os.path.join(folder, "micros"))
        except Exception as e:  # the caller leaves this library out
            out = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(out), flush=True)


main()
