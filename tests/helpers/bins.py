"""Bins of equal mass under one rule alone, which those under several are compared with."""

import numpy as np

from benchmarks.binning import bin_starts


def equal_mass_bins(key, weights, count):
    """Return the bin (n,) of each point when points are sorted by key into bins of equal mass.

    Points with the same key are never parted, so that a constant q has one bin.
    """
    order = np.argsort(key, kind="stable")
    starts, number, _ = bin_starts(key[order], weights[order], np.zeros(1, dtype=np.int64), count)
    bins = np.empty(len(key), dtype=np.int64)
    bins[order] = np.repeat(number, np.diff(starts, append=len(key)))
    return bins
