"""Pair mining: a data set of pairs from a folder of photos. Photos of the same thing are matched, and crops written."""

from ttsr.data.mining.mining_options import MiningOptions
from ttsr.data.mining.mining_results import MinedPair, MiningSummary
from ttsr.data.mining.pipeline import MANIFEST, REPORT, mine_pairs

__all__ = ["MANIFEST", "REPORT", "MinedPair", "MiningOptions", "MiningSummary", "mine_pairs"]
