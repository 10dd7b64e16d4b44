"""What is answered: JSON from votes."""

from typing import Any

import numpy as np

from digits_ray.serving.served_run import RunFacts, Votes

_DECIMALS = 6


def prediction_json(votes: Votes, seen: np.ndarray | None) -> dict[str, Any]:
    """Returns the answer to `POST /predict`; its lists have an entry for each image.

    Args:
        votes: On the images.
        seen: (rows, height, width[, 3]) uint8: what the networks saw, where it is not what was sent.
    """
    facts, proba = votes.facts, votes.proba.mean(axis=0, dtype=np.float64)
    top, own = proba.argmax(axis=1), votes.proba.argmax(axis=2)
    answer = {
        "classes": list(facts.classes),
        "members": list(facts.members),
        "labels": [facts.classes[column] for column in top],
        "probabilities": _rounded(proba),
        "votes": [[facts.classes[column] for column in row] for row in own.T],
        "vote_probabilities": _rounded(votes.proba.max(axis=2).T),
        "disagreement": _rounded((own != top).mean(axis=0)),
    }
    if votes.sets is not None:
        answer["sets"] = [[facts.classes[column] for column in np.flatnonzero(row)] for row in votes.sets]
    if seen is not None:
        answer["seen"] = seen.tolist()
    return answer


def facts_json(facts: RunFacts, *, can_reload: bool) -> dict[str, Any]:
    """Returns the answer to `GET /run`."""
    return {
        "name": facts.name,
        "classes": list(facts.classes),
        "image_shape": list(facts.image_shape),
        "members": list(facts.members),
        "accuracy": facts.accuracy,
        "held_out_rows": facts.held_out_rows,
        "set_level": facts.set_level,
        "drawing": facts.form.to_json(),
        "can_reload": can_reload,
    }


def _rounded(values: np.ndarray) -> list[Any]:
    return np.round(values.astype(np.float64), _DECIMALS).tolist()
