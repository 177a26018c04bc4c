"""Pair mining: a data set of pairs from a folder of photos. Photos of the same thing are matched, and crops written."""

from ttsr.data.mining.mining_options import MiningOptions as MiningOptions
from ttsr.data.mining.mining_results import MinedPair as MinedPair, MiningSummary as MiningSummary
from ttsr.data.mining.pipeline import MANIFEST as MANIFEST, REPORT as REPORT, mine_pairs as mine_pairs
