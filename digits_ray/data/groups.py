"""Groups: rows that must stay on one side of a split. They are dealt out by size and by class, as groups allow."""

from collections.abc import Mapping

import numpy as np

TRIES = 1_000  # deals at most, of which the best is taken
DEALT_GROUPS = 100_000  # in all tries together; some 10 µs each, and the more groups there are, the less tries matter


def joined_groups(*relations: np.ndarray) -> np.ndarray:
    """Joins what several relations each hold together: rows that a chain of equal numbers connects.

    Args:
        relations: (rows,) int each; rows with the same number stay on one side.

    Returns:
        (rows,) int32, numbered from 0 in order of appearance.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    rows = len(relations[0])
    nodes, edges = rows, []  # a node for each row, and for each number of each relation
    for relation in relations:
        numbers = np.unique(relation, return_inverse=True)[1].reshape(-1)
        edges.append(numbers + nodes)
        nodes += int(numbers.max(initial=-1)) + 1
    ends = np.concatenate(edges) if edges else np.zeros(0, np.int64)
    starts = np.tile(np.arange(rows), len(relations))
    graph = coo_matrix((np.ones(len(ends), bool), (starts, ends)), shape=(nodes, nodes))
    return numbered_by_appearance(connected_components(graph, directed=False)[1][:rows])


def numbered_by_appearance(values: np.ndarray) -> np.ndarray:
    """Returns (rows,) int32: the distinct values of (rows,) numbered from 0 in order of appearance."""
    _, first_row, number = np.unique(values, return_index=True, return_inverse=True)
    return first_row.argsort().argsort()[number.reshape(-1)].astype(np.int32)


def class_counts(groups: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts the rows of each class in each group, (groups, classes) int64.

    Args:
        groups: (rows,) int, from 0, none left out.
        labels: (rows,) int index into the classes.
        num_classes: Number of classes.
    """
    counts = np.bincount(groups * num_classes + labels, minlength=(int(groups.max()) + 1) * num_classes)
    return counts.reshape(-1, num_classes)


def deal_groups(counts: np.ndarray, fractions: np.ndarray, scored: int, seed: int) -> np.ndarray:
    """Deals groups out to parts so that each part has its fraction of all rows and of every class, as groups allow.

    In a random order, each group goes to the part that it brings nearest to its fractions; of many orders, the best
    deal is taken. Where a class is missing on a side, one of its groups, drawn at random, is dealt out first. Unlike
    scikit-learn's StratifiedGroupKFold, the parts may be unequal, no side lacks a class where a deal was found that
    gives it one, and small groups are not dealt last, which would leave a small part without large groups.

    Args:
        counts: (groups, classes) int, rows.
        fractions: (parts,) of all rows that each part is to have; they sum to 1.
        scored: How many of the parts, from the first on, are each held out while the others train.
        seed: Of all that is random; the same seed gives the same deal.

    Returns:
        (groups,) int64 part of each group.
    """
    columns = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    sizes = columns[:, columns.any(axis=0)] / columns.sum(axis=0)[columns.any(axis=0)]  # (groups, classes + 1) of each
    random = np.random.default_rng(seed)
    tries = int(np.clip(DEALT_GROUPS // len(counts), 1, TRIES))

    def best_deal(missing_classes: np.ndarray) -> np.ndarray:
        deals = []
        for _ in range(tries):
            drawn = (int(random.choice(np.flatnonzero(counts[:, label]))) for label in missing_classes)
            first = {group: int(random.integers(scored)) for group in drawn}
            deals.append(_deal(sizes, fractions, random.permutation(len(counts)), first))
        return min(deals, key=lambda part: (missing_sides(counts, part, scored).sum(), _misfit(sizes, part, fractions)))

    part = best_deal(np.zeros(0, np.int64))
    missing = np.flatnonzero(missing_sides(counts, part, scored))
    return best_deal(missing) if len(missing) else part


def missing_sides(counts: np.ndarray, parts: np.ndarray, scored: int) -> np.ndarray:
    """Counts for each class the sides that lack it: where one part is scored, either; else the training sides.

    Args:
        counts: (groups, classes) int, rows.
        parts: (groups,) int part of each group.
        scored: How many of the parts, from the first on, are each held out while the others train.

    Returns:
        (classes,) int64.
    """
    held_out = np.stack([counts[parts == part].sum(axis=0) for part in range(scored)])  # (scored parts, classes)
    lacking = held_out == counts.sum(axis=0)  # all rows of the class are held out, so that none trains
    if scored == 1:
        lacking = np.concatenate([lacking, held_out == 0])
    return lacking.sum(axis=0)


def _deal(sizes: np.ndarray, fractions: np.ndarray, order: np.ndarray, first: Mapping[int, int]) -> np.ndarray:
    """Deals groups out in an order; those in `first` have their part already."""
    gaps = np.repeat(fractions[:, None], sizes.shape[1], axis=1)  # (parts, classes + 1) that each part still lacks
    parts = np.empty(len(sizes), np.int64)
    for group in [*first, *(group for group in order.tolist() if group not in first)]:
        # The part with the largest such gap: there the squares of all gaps become least.
        part = first[group] if group in first else int((gaps @ sizes[group]).argmax())
        gaps[part] -= sizes[group]
        parts[group] = part
    return parts


def _misfit(sizes: np.ndarray, parts: np.ndarray, fractions: np.ndarray) -> float:
    dealt = np.stack([sizes[parts == part].sum(axis=0) for part in range(len(fractions))])
    return float(np.square(dealt - fractions[:, None]).sum())
