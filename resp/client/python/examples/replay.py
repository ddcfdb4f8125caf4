"""What a semantic cache saves: customers' questions, one after the other, with a model that takes a second and a cent.

    python replay.py [redis://localhost:6379] [questions]

It needs numpy and the project's datasets; run it as a program, or cell by cell where # %% are cells. The questions are
Banking77's: two of the same intent want the same answer, so it is known how often the cache was wrong. Of the wrong
answers one in five is reported, as users do, and the cache becomes more careful. Writes replay.svg.
"""

# %% The questions, and their embeddings.
import json
import pathlib
import random
import sys
import time

import numpy

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent))
from nearcache import SemanticCache  # noqa: E402

url = sys.argv[1] if len(sys.argv) > 1 else "redis://localhost:6379"
count = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
data = here.parents[3] / "datasets" / "data"
texts = [json.loads(line) for line in (data / "minilm.texts.jsonl").open(encoding="utf-8")]
row = {t: i for i, t in enumerate(texts)}
vectors = numpy.load(data / "minilm.f16.npy", mmap_mode="r")
trace = [json.loads(line) for line in (data / "banking77.jsonl").open(encoding="utf-8")]
random.Random(1).shuffle(trace)
trace = trace[:count]
COST, SECONDS = 0.01, 1.0  # of asking the model


def embed(text):
    return vectors[row[text]].astype("float32").tobytes()


# %% The same trace for several promises: how many wrong answers are put up with.
def replay(maxwrong):
    r = random.Random(2)
    with SemanticCache(url, f"replay{maxwrong}", embed=embed) as cache:
        if f"replay{maxwrong}".encode() in cache.near._execute([("SEM.LIST",)], [])[0]:
            cache.near.execute("SEM.DROP", f"replay{maxwrong}")
        cache.create(384, maxwrong=maxwrong)
        hits = wrong = 0
        curve, took = [], []
        for i, q in enumerate(trace, 1):
            start = time.perf_counter()
            a = cache.get(q["text"])
            took.append(time.perf_counter() - start)
            if a.hit:
                hits += 1
                if a.text != q["intent"]:
                    wrong += 1
                    if r.random() < 0.2:
                        cache.feedback(a.id, False, q["text"])
            else:
                cache.set(q["text"], q["intent"], cost=COST)
            if i % 50 == 0:
                curve.append((i, hits * COST))
        took.sort()
        print(
            f"MAXWRONG {maxwrong:<5} {hits / count:6.1%} answered from the cache, {wrong / count:5.1%} of all wrong, "
            f"${hits * COST:7.2f} and {hits * SECONDS / 60:5.1f} minutes saved, a look takes {took[count // 2] * 1e6:4.0f} us"
        )
        return curve


curves = {m: replay(m) for m in (0.02, 0.05, 0.1, 0.2)}

# %% Dollars saved, question by question.
width, height, left, low = 640, 360, 60, 320
top = max(max(y for _, y in c) for c in curves.values()) or 1
colours = ["#1b6ca8", "#2e8540", "#c05621", "#805ad5"]
svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">']
svg.append('<rect width="100%" height="100%" fill="white"/>')
for k in range(5):
    y = low - k * 280 / 4
    svg.append(f'<line x1="{left}" y1="{y}" x2="{width - 20}" y2="{y}" stroke="#ddd"/><text x="8" y="{y + 4}">${top * k / 4:.2f}</text>')
for (m, c), colour in zip(curves.items(), colours):
    points = " ".join(f"{left + x / count * (width - left - 20):.1f},{low - y / top * 280:.1f}" for x, y in c)
    svg.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
for k, (m, colour) in enumerate(zip(curves, colours)):
    svg.append(f'<text x="{left + 10}" y="{30 + 16 * k}" fill="{colour}">MAXWRONG {m}</text>')
svg.append(f'<text x="{width / 2 - 60}" y="{height - 12}">questions asked, of {count}</text></svg>')
pathlib.Path("replay.svg").write_text("\n".join(svg))
