"""Makes datasets/data/contrast_pairs.jsonl: questions with one thing changed by rule.

    pip install numpy tokenizers && python contrast.py MODEL_DIR DATASETS_DIR > contrast_pairs.jsonl

MODEL_DIR holds all-MiniLM-L6-v2 (model.safetensors, tokenizer.json). Real pairs with the same
answer are plenty; pairs that only look alike hardly exist in public, and it is these that make
semantic caches wrong. So a question of Banking77, HWU64 or NQ-open is taken and, by one rule,
either what it asks for is changed (a number, a word for one that stands in the same place
elsewhere, an opposite, a negation, from and to, a limit) or how it is asked (a slip of the
keyboard, courtesies, contractions, case, a template, a synonym, the order). The rules are
crude and make some nonsense; the model that learns from them is measured on pairs of people.
"""
import collections
import json
import math
import random
import re
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

LISTS = Path(__file__).resolve().parents[2] / "store/semcache/judge/lists"
LIMITS = {"number": 900, "opposite": 700, "negation": 700, "word": 1100, "direction": 300, "scope": 400}
LIMIT = 550  # of every other rule


def lines(name):
    return [l.split() for l in (LISTS / f"{name}.txt").read_text().splitlines() if l and not l.startswith("#")]


STOP = {w for l in lines("stop") for w in l}
OPPOSITE, SYNONYM = collections.defaultdict(set), collections.defaultdict(set)
for name, table in (("opposites", OPPOSITE), ("synonyms", SYNONYM)):
    for group in lines(name):
        for w in group:
            table[w] |= set(group) - {w}
MONTHS = "january february april june july august september october november december".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
NUMBERS = "two three four five six seven eight nine ten eleven twelve".split()
NEGATE = {"do": "don't", "can": "can't", "does": "doesn't", "is": "isn't", "will": "won't", "should": "shouldn't",
          "did": "didn't", "was": "wasn't", "are": "aren't"}
NEGATE |= {v: k for k, v in NEGATE.items()} | {"not": ""}
SCOPES = ["for children", "in Scotland", "for my business", "abroad", "as a student", "for a friend", "in Germany", "at night",
          "on Android", "for the first time", "over the phone", "for free", "for dogs", "before 2010", "on weekends",
          "without an account"]
OPENERS = ["Hi,", "Hello,", "Please,", "Hey", "Sorry to bother you, but", "Quick question,", "Um,", "Could you tell me,",
           "Good morning,"]
CONTRACTIONS = [("what is", "what's"), ("where is", "where's"), ("how is", "how's"), ("who is", "who's"), ("do not", "don't"),
                ("can not", "can't"), ("i have", "I've"), ("i am", "I'm"), ("it is", "it's"), ("when is", "when's")]
TEMPLATES = [
    (r"^how do i ", ["how can I ", "what is the way to ", "tell me how to ", "how would I ", "what do I need to do to ",
                     "I want to know how to ", "is there a way to "]),
    (r"^(can|could) i ", ["am I able to ", "is it possible to ", "is it possible for me to ", "may I "]),
    (r"^what is the ", ["what's the ", "tell me the ", "could you tell me the ", "do you know the "]),
    (r"^where can i ", ["where do I ", "what is a place where I can "]),
    (r"^why (is|are) ", [r"how come \1 "]),
    (r"^who (wrote|sang|sings|played|plays) ", [r"who was it that \1 ", r"name the person who \1 "]),
    (r"^when (did|was|is|does) ", [r"what date \1 ", r"at what time \1 ", r"on which date \1 "]),
    (r"^how many ", ["what is the number of ", "what number of "]),
    (r"^(please|can you|could you) ", ["", "I would like you to ", "would you "]),
    (r"^i (need|want) to ", ["I would like to ", "help me ", "I'd like to "]),
]
rng = random.Random(7)


def cut(text):
    return re.findall(r"[\w'£$€%.-]+|[?!,]", text)


def join(words):
    return re.sub(r" ([?!,])", r"\1", " ".join(words))


def put(words, i, new):
    return [w for w in words[:i] + [new[:1].upper() + new[1:] if words[i][:1].isupper() else new] + words[i + 1:] if w]


def some(words, test):
    """A random index of a word that passes."""
    found = [i for i, w in enumerate(words) if test(w.lower())]
    return rng.choice(found) if found else None


# What changes the answer.

def number(words):
    i = some(words, lambda w: re.fullmatch(r"[£$€]?\d+(th|st|nd|rd|am|pm|%)?", w) or w in NUMBERS + MONTHS + DAYS)
    if i is None:
        return None
    w = words[i].lower()
    for group in (NUMBERS, MONTHS, DAYS):
        if w in group:
            return put(words, i, rng.choice([x for x in group if x != w]))
    m = re.search(r"\d+", w)
    n = new = int(m.group())
    while new == n:
        new = abs(n + rng.randint(-9, 9) if 1900 < n < 2100 else rng.choice([n + rng.randint(-9, 9), n * 10, n * 2, rng.randint(1, 31)]))
    return put(words, i, w[:m.start()] + str(new) + w[m.end():])


def opposite(words):
    i = some(words, lambda w: w in OPPOSITE and w not in ("in", "out", "up", "can", "down", "over", "left", "right"))
    return None if i is None else put(words, i, rng.choice(sorted(OPPOSITE[words[i].lower()])))


def negation(words):
    i = next((i for i, w in enumerate(words) if w.lower() in NEGATE), None)
    return None if i is None else put(words, i, NEGATE[words[i].lower()])


def word(words, places=collections.defaultdict(set)):
    """Another word that stands between the same two neighbours elsewhere."""
    order = [i for i, w in enumerate(words) if w.lower() not in STOP and w.isalpha()]
    rng.shuffle(order)
    for i in order:
        w = words[i].lower()
        others = [x for x in places[around(words, i)] if x[:4] != w[:4] and x not in STOP and x.isalpha() and len(x) > 2 and x not in SYNONYM.get(w, ())]
        if others:
            return put(words, i, rng.choice(sorted(others)))
    return None


def around(words, i):
    return words[i - 1].lower() if i else "^", words[i + 1].lower() if i + 1 < len(words) else "$"


def direction(words):
    low = [w.lower() for w in words]
    if "from" not in low or "to" not in low:
        return None
    i, j = sorted((low.index("from"), low.index("to")))
    end = next((k for k in range(j + 1, len(words)) if low[k] in STOP - {"my", "the", "a", "your"} or not words[k][0].isalnum()), len(words))
    a, b = words[i + 1:j], words[j + 1:end]
    return words[:i + 1] + b + [words[j]] + a + words[end:] if a and b else None


def scope(words):
    end = words[-1:] if words[-1] in "?!" else []
    return words[:len(words) - len(end)] + rng.choice(SCOPES).split() + end


# What does not.

def slip(words):
    i = some(words, lambda w: w.isalpha() and len(w) > 4)
    if i is None:
        return None
    w, k = words[i], rng.randrange(1, len(words[i]) - 1)
    return put(words, i, rng.choice([w[:k] + w[k + 1] + w[k] + w[k + 2:], w[:k] + w[k + 1:], w[:k] + w[k] + w[k:]]))


def courtesy(words):
    if rng.random() < 0.5:
        return rng.choice(OPENERS).split() + words
    i = rng.randrange(len(words))
    return [w.lower() for w in words[:i] + [rng.choice(["um", "uh", "like", "just", "please"])] + words[i:] if w not in "?!"]


def contraction(words):
    text = " ".join(words)
    for a, b in CONTRACTIONS:
        for old, new in ((a, b), (b, a)):
            if re.search(rf"\b{old}\b", text, re.I):
                return re.sub(rf"\b{old}\b", new, text, flags=re.I).split()
    return None


def case(words):
    return [w.upper() for w in words] if rng.random() < 0.3 else [w.lower() for w in words if w not in "?!"]


def template(words):
    text = " ".join(words)
    for old, new in TEMPLATES:
        if re.search(old, text, re.I):
            return re.sub(old, rng.choice(new), text, flags=re.I).split()
    return None


def synonym(words):
    i = some(words, lambda w: w in SYNONYM)
    return None if i is None else put(words, i, rng.choice(sorted(SYNONYM[words[i].lower()])))


def front(words):
    end = words[-1:] if words[-1] in "?!" else []
    body = words[:len(words) - len(end)]
    for i in range(len(body) - 2, 2, -1):
        if body[i].lower() in ("in", "on", "at", "for", "during", "after", "before", "with") and len(body) - i <= 5:
            return body[i:] + [","] + body[:i] + end
    return None


OTHER = [number, number, opposite, negation, word, word, direction, scope]
SAME = [slip, courtesy, contraction, case, template, template, synonym, synonym, synonym, front, front]


def pairs(texts):
    places = word.__defaults__[0]
    for t in texts:
        w = cut(t)
        for i in range(len(w)):
            places[around(w, i)].add(w[i].lower())
    made = []
    for t in texts:
        w = cut(t)
        if not 4 <= len(w) <= 30:
            continue
        for rules, label in ((rng.sample(OTHER, 3), 0), (rng.sample(SAME, 3), 1)):
            for rule in rules:
                new = rule(list(w))
                if new and new != w:
                    if label and rng.random() < 0.4:
                        new = rng.choice([template, synonym, contraction, courtesy])(list(new)) or new
                    made.append((t, join(new), label, rule.__name__))
                    break
    rng.shuffle(made)
    count = collections.Counter()
    for p in made:
        count[p[3]] += 1
        if count[p[3]] <= LIMITS.get(p[3], LIMIT):
            yield p


def erf(x):
    """Abramowitz and Stegun 7.1.26: right to 1.5e-7."""
    t = 1 / (1 + 0.3275911 * np.abs(x))
    y = 1 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * np.exp(-x * x)
    return np.sign(x) * y


class MiniLM:
    """all-MiniLM-L6-v2 in numpy: 6 layers, 12 heads, mean pooling, length 1."""

    def __init__(self, folder):
        raw = (Path(folder) / "model.safetensors").read_bytes()
        n = int.from_bytes(raw[:8], "little")
        self.w = {}
        for name, h in json.loads(raw[8:8 + n]).items():
            if h.get("dtype") == "F32":
                a, b = h["data_offsets"]
                self.w[name] = np.frombuffer(raw[8 + n + a:8 + n + b], np.float32).reshape(h["shape"])
        self.tokens = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self.tokens.no_padding()
        self.tokens.enable_truncation(128)

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12) * self.w[name + ".weight"] + self.w[name + ".bias"]

    def dense(self, x, name):
        return x @ self.w[name + ".weight"].T + self.w[name + ".bias"]

    def forward(self, ids):
        n, length = ids.shape
        x = self.w["embeddings.word_embeddings.weight"][ids] + self.w["embeddings.position_embeddings.weight"][:length]
        x = self.norm(x + self.w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(6):
            at = f"encoder.layer.{layer}."
            q, k, v = (self.dense(x, f"{at}attention.self.{s}").reshape(n, length, 12, 32).transpose(0, 2, 1, 3) for s in ("query", "key", "value"))
            a = q @ k.transpose(0, 1, 3, 2) / math.sqrt(32)
            a = np.exp(a - a.max(-1, keepdims=True))
            heads = (a / a.sum(-1, keepdims=True) @ v).transpose(0, 2, 1, 3).reshape(n, length, 384)
            x = self.norm(x + self.dense(heads, at + "attention.output.dense"), at + "attention.output.LayerNorm")
            m = self.dense(x, at + "intermediate.dense")
            m = m * 0.5 * (1 + erf(m / math.sqrt(2)))
            x = self.norm(x + self.dense(m, at + "output.dense"), at + "output.LayerNorm")
        e = x.mean(1)
        return e / np.linalg.norm(e, axis=1, keepdims=True)

    def embed(self, texts):
        ids = [self.tokens.encode(t).ids for t in texts]
        by = collections.defaultdict(list)
        for i, t in enumerate(ids):
            by[len(t)].append(i)
        out, done = np.zeros((len(texts), 384), np.float32), 0
        for group in by.values():
            for s in range(0, len(group), 64):
                part = group[s:s + 64]
                out[part] = self.forward(np.array([ids[i] for i in part]))
                done += len(part)
                print(f"\rembedded {done} of {len(texts)}", end="", file=sys.stderr)
        print(file=sys.stderr)
        return out


def main():
    model, data = MiniLM(sys.argv[1]), Path(sys.argv[2]) / "data"
    rows = lambda name: [json.loads(l) for l in open(data / name, encoding="utf-8")]
    texts = rng.sample([r["text"] for r in rows("hwu64.jsonl")], 2500) + rng.sample([r["text"] for r in rows("banking77.jsonl")], 3500)
    made = list(pairs(texts + [r["question"] for r in rows("nq_open.jsonl")]))
    a, b = model.embed([p[0] for p in made]), model.embed([p[1] for p in made])
    for (x, y, label, kind), cosine in zip(made, (a * b).sum(1)):
        print(json.dumps({"a": x, "b": y, "label": label, "kind": kind, "cosine": round(float(cosine), 4)}, ensure_ascii=False))


if __name__ == "__main__":
    main()
