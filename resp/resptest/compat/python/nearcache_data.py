"""What the tests of both environments share: the server's address and the texts
of datasets/ with their MiniLM embeddings."""

import functools
import json
import os
import pathlib

import numpy

HERE = pathlib.Path(__file__).resolve().parent


def address():
    """Host and port of the server under test."""
    host, _, port = os.environ["NEARCACHE_ADDR"].rpartition(":")
    return host, int(port)


def folder():
    if "NEARCACHE_DATASETS" in os.environ:
        return pathlib.Path(os.environ["NEARCACHE_DATASETS"]) / "data"
    return HERE.parents[3] / "datasets" / "data"


@functools.cache
def embeddings():
    """Texts and their embeddings: row i belongs to text i, each of length 1."""
    texts = [json.loads(line) for line in (folder() / "minilm.texts.jsonl").open(encoding="utf-8")]
    vectors = numpy.load(folder() / "minilm.f16.npy", mmap_mode="r")
    assert len(texts) == len(vectors)
    return texts, vectors


@functools.cache
def rows():
    texts, _ = embeddings()
    return {text: row for row, text in enumerate(texts)}


def embed(text):
    """The embedding of a text of the file, as a list of floats."""
    return embeddings()[1][rows()[text]].astype("float32").tolist()


@functools.cache
def banking77():
    """Questions of bank customers: dicts with text and intent."""
    return [json.loads(line) for line in (folder() / "banking77.jsonl").open(encoding="utf-8")]


def distance(a, b):
    """Cosine distance of two texts, in float32 as the server computes it."""
    va, vb = (numpy.asarray(embed(t), "float32") for t in (a, b))
    return float(1 - va @ vb / numpy.linalg.norm(va) / numpy.linalg.norm(vb))


DATATYPES = ["float32", "float64", "float16", "bfloat16", "int8", "uint8"]


def stored(vector, datatype):
    """A vector of length 1 as a field of that type holds it, as float64: bytes
    take 1/512 for their unit, and what UINT8 cannot hold is 0."""
    v = numpy.asarray(vector, "float64")
    match datatype:
        case "int8":
            return numpy.clip(numpy.rint(v * 512), -128, 127)
        case "uint8":
            return numpy.clip(numpy.rint(v * 512), 0, 255)
        case "bfloat16":  # the upper half of a float32, rounded to even
            bits = v.astype("float32").view("uint32")
            bits += 0x7FFF + ((bits >> 16) & 1)
            return (bits & 0xFFFF0000).view("float32").astype("float64")
    return v.astype(datatype).astype("float64")


def blob(vector, datatype):
    """The bytes of what stored returned."""
    if datatype == "bfloat16":
        return (numpy.asarray(vector, "float32").view("uint32") >> 16).astype("uint16").tobytes()
    return numpy.asarray(vector, datatype).tobytes()


def between(metric, a, b):
    """The distance as the metric defines it."""
    if metric == "l2":
        return float(((a - b) ** 2).sum())
    return float(1 - a @ b / (numpy.linalg.norm(a) * numpy.linalg.norm(b) if metric == "cosine" else 1))
