"""What models predict, how they vote, how they score. Arrays only: knows neither Ray nor Keras."""

from digits_ray.ensemble.label_audit import LabelIssue, label_issues, label_issues_csv
from digits_ray.ensemble.leaderboard import Standing, leaderboard_csv, rank_standings
from digits_ray.ensemble.metrics import (
    ECE_BINS,
    McNemar,
    Recall,
    Scores,
    accuracy_ci95,
    balanced_accuracy,
    brier,
    check_probabilities,
    ece,
    mcnemar,
    nll,
    recalls,
    score,
)
from digits_ray.ensemble.networks_per_row import NetworksPerRow, one_network_scores
from digits_ray.ensemble.paired import PairedComparison, compare_paired
from digits_ray.ensemble.predictions import MemberFailure, MemberResult, Prediction, member_name
from digits_ray.ensemble.soft_vote import Combined, SoftVote, labels_of

__all__ = [
    "ECE_BINS",
    "Combined",
    "LabelIssue",
    "McNemar",
    "MemberFailure",
    "MemberResult",
    "NetworksPerRow",
    "PairedComparison",
    "Prediction",
    "Recall",
    "Scores",
    "SoftVote",
    "Standing",
    "accuracy_ci95",
    "balanced_accuracy",
    "brier",
    "check_probabilities",
    "compare_paired",
    "ece",
    "label_issues",
    "label_issues_csv",
    "labels_of",
    "leaderboard_csv",
    "mcnemar",
    "member_name",
    "nll",
    "one_network_scores",
    "rank_standings",
    "recalls",
    "score",
]
