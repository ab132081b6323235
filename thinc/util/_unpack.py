"""msgpack of unknown origin."""

import gc
from collections.abc import Mapping
from typing import Any

from .. import compat


def say(error: BaseException) -> str:
    """Kind and text of an error, in a line that is not too long."""
    return f"{type(error).__name__}: {error}"[:200] if str(error) else type(error).__name__


def unpack(data: Any, who: str, expected: str, *keys: str) -> Any:
    """The dict with these keys that msgpack bytes hold; ValueError for whatever else they are.

    who: what is being loaded into; expected: what the bytes should be.
    """
    collecting = gc.isenabled()
    try:
        message = compat.srsly.msgpack_loads(data)
    except Exception as error:  # of many kinds: the bytes may hold any nonsense
        raise ValueError(f"{who}: these bytes are not {expected} ({say(error)})") from error
    finally:
        if collecting:
            gc.enable()  # (it is off after a failure)
    if not isinstance(message, Mapping):
        raise ValueError(f"{who}: these bytes are not {expected}, but a {type(message).__name__}")
    missing = [key for key in keys if key not in message]
    if missing:
        raise ValueError(f"{who}: these bytes are not {expected}: there is no entry {', '.join(map(repr, missing))}")
    return message
