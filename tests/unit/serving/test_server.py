"""Why a server did not come up."""

import pytest

from digits_ray.errors import RunError, UserError
from digits_ray.serving.server import start_error

REPLICA = """The deployment failed to start 3 times in a row. See controller logs for details. Error:
\x1b[36mray::ServeReplica:digits-ray:model.initialize_and_get_metadata()\x1b[39m (pid=7, ip=10.0.0.2)
  File "/venv/lib/python3.11/site-packages/ray/serve/_private/replica.py", line 1928, in initialize
    raise RuntimeError(traceback.format_exc()) from None
RuntimeError: Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/ray/serve/_private/replica.py", line 1867, in initialize
    await self._user_callable_wrapper.initialize_callable()
  File "/home/ada/digits_ray/training/model_file.py", line 71, in _load
    raise {raised}
{raised}
"""
RAISED_BY_SERVE = RuntimeError("Deploying application digits-ray failed: Failed to update the deployments ['model'].")


def test_what_the_user_can_mend_is_told_as_it_was_raised() -> None:
    error = start_error(["", REPLICA.format(raised="digits_ray.errors.UserError: Give its file.")], RAISED_BY_SERVE)
    assert isinstance(error, UserError)
    assert str(error) == "Give its file."


def test_any_other_exception_of_a_replica_is_told_with_its_line() -> None:
    error = start_error([REPLICA.format(raised="MemoryError: 3 GiB")], RAISED_BY_SERVE)
    assert isinstance(error, RunError)
    assert str(error) == (
        "the server could not be started: MemoryError: 3 GiB (digits_ray/training/model_file.py:71, in _load)"
    )


@pytest.mark.parametrize("messages", [[], ["", "No node has 4 GPUs."]])
def test_where_no_replica_says_why_ray_serve_s_own_words_stay(messages: list[str]) -> None:
    assert str(start_error(messages, RAISED_BY_SERVE)).endswith("Failed to update the deployments ['model'].")
