"""Converts the data sets train and test of an HDF5 file of ann-benchmarks to FOLDER/train.npy and test.npy."""

import sys

import h5py
import numpy as np

file, folder = sys.argv[1:3]
with h5py.File(file) as f:
    for name in ("train", "test"):
        np.save(f"{folder}/{name}.npy", np.asarray(f[name], dtype="<f4"))
