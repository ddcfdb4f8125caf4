"""hnswlib under bench/ann's protocol: a command a line on stdin, a JSON line back."""

import base64
import json
import os
import sys
import time

import hnswlib
import numpy as np


def rss():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main():
    train_file, query_file, dim, k, m, efc, seed = sys.argv[1:8]
    dim, k, m, efc, seed = int(dim), int(k), int(m), int(efc), int(seed)
    train = np.fromfile(train_file, dtype="<f4").reshape(-1, dim)
    queries = np.fromfile(query_file, dtype="<f4").reshape(-1, dim)
    index = hnswlib.Index(space="cosine", dim=dim)
    index.set_num_threads(1)
    for line in sys.stdin:
        command = line.split()
        before, wall, cpu = rss(), time.perf_counter(), time.process_time()
        out = {}
        if command[0] == "build":
            index.init_index(max_elements=len(train), M=m, ef_construction=efc, random_seed=seed)
            index.add_items(train, num_threads=1)
        elif command[0] == "ef":
            index.set_ef(int(command[1]))
            labels, _ = index.knn_query(queries, k=k, num_threads=1)
        out["seconds"] = time.perf_counter() - wall
        out["cpu"] = time.process_time() - cpu
        if command[0] == "build":
            out["bytes"] = rss() - before
        else:
            out["labels"] = base64.b64encode(labels.astype("<i4").tobytes()).decode()
        print(json.dumps(out), flush=True)


main()
