"""The classical baselines: nearest neighbours, a decision tree and forests, each searched by Ray Tune.

The straight line is `trials` (the grid) → `search` (scored on validation rows) → `refit` (the winner, on all training
rows, scored once). `sweeps` and `neighbours` hold what one trial does and know no Ray.
"""
