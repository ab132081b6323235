"""One rule for each layer; importing registers them."""

from . import combinators, dense, embedding, refused, sequences, views, wrapped  # noqa: F401

__all__: list = []
