"""Context variables set for a block of code, whichever thread or task ends the block, and in whatever order.

A generator may hold a block open, and be closed by another thread, by a finalizer or after a block that was opened
later: a `Token` cannot be used there. The variable is then put right when it is next read in its own context.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Optional


class _Block:
    __slots__ = ("outer", "before", "ended")

    def __init__(self, outer: Optional["_Block"], before: Any):
        self.outer = outer
        self.before = before  # the value to go back to
        self.ended = False


class Blocks:
    """The blocks that set one variable. Read it by `get`; `assign` is how it is set, if that takes more."""

    def __init__(self, variable: ContextVar, assign: Optional[Callable[[Any], Any]] = None):
        self._variable = variable
        self._assign = assign or variable.set
        self._innermost: ContextVar[Optional[_Block]] = ContextVar(f"blocks of {variable.name}", default=None)

    def get(self) -> Any:
        block = self._innermost.get()
        if block is not None and block.ended:
            self.leave_ended()
        return self._variable.get()

    @contextmanager
    def set(self, value: Any) -> Iterator[None]:
        """The value inside a block; the one from before comes back in any case."""
        self.leave_ended()
        block = _Block(self._innermost.get(), self._variable.get())
        token = self._innermost.set(block)
        try:
            self._assign(value)
            yield
        finally:
            innermost = self._innermost.get()
            try:
                self._innermost.reset(token)
            except ValueError:  # in another context: its own is put right when it is read
                block.ended = True
            else:
                if innermost is block:
                    self._assign(block.before)
                else:
                    self._innermost.set(innermost)
                    block.ended = True
            self.leave_ended()

    def leave_ended(self) -> None:
        """Take back what blocks of this context had set that were ended elsewhere, or before those inside them."""
        block = self._innermost.get()
        if block is None or not block.ended:
            return
        while block is not None and block.ended:
            before, block = block.before, block.outer
        self._innermost.set(block)
        self._assign(before)
