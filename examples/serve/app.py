"""A text classifier as a service.

    THINC_MODEL=model.safetensors gunicorn --preload -k asgi -w 4 app:app

POST /predict {"texts": ["...", ...]} -> {"labels": ["...", ...], "scores": [[...], ...]}. Texts that wait are predicted
together. With --preload the model is opened before the workers are forked; its weights are pages that they share.
"""

import asyncio
import json
import os
from collections import deque
from typing import Deque, List, Optional, Tuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import thinc

BATCH = int(os.environ.get("THINC_BATCH", 32))  # texts of one prediction
WAITING = int(os.environ.get("THINC_WAITING", 256))  # texts that may wait in one worker
MAX_TEXTS, MAX_CHARACTERS, MAX_BYTES = 64, 10_000, 1_000_000  # of one request; characters of one text

trained = thinc.load(os.environ["THINC_MODEL"])
LABELS = json.loads(trained.metadata["labels"])
trained.predict(["warm up"])  # what is made once is made before the fork


class Batches:
    """Predicts what waits, in the order in which it came, while the event loop goes on."""

    def __init__(self) -> None:
        self.waiting: Deque[Tuple[str, asyncio.Future]] = deque()
        self.task: Optional[asyncio.Task] = None

    async def predict(self, texts: List[str]) -> List[List[float]]:
        if len(self.waiting) + len(texts) > WAITING:
            raise HTTPException(503, "Too much is waiting; try again", {"Retry-After": "1"})
        futures = [asyncio.get_running_loop().create_future() for _ in texts]
        self.waiting.extend(zip(texts, futures))
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.run())
        return await asyncio.gather(*futures)

    async def run(self) -> None:
        while self.waiting:
            await self.run_batch([self.waiting.popleft() for _ in range(min(BATCH, len(self.waiting)))])

    async def run_batch(self, batch: List[Tuple[str, asyncio.Future]]) -> None:
        try:
            scores = await asyncio.to_thread(trained.predict, [text for text, _ in batch])
        except Exception as error:
            if len(batch) > 1:  # whose text was it?
                for one in batch:
                    await self.run_batch([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
        else:
            for (_, future), row in zip(batch, scores.tolist()):
                if not future.done():  # (it is if the client is gone)
                    future.set_result(row)


batches = Batches()


async def read_texts(request: Request) -> List[str]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(413, f"The request is longer than {MAX_BYTES} bytes")
    try:
        texts = json.loads(body)["texts"]
        if not isinstance(texts, list) or not texts:
            raise ValueError(texts)
        "".join(texts).encode()  # JSON may hold halves of characters
    except (ValueError, KeyError, TypeError, RecursionError):
        raise HTTPException(422, 'Expected {"texts": ["...", ...]}') from None
    if len(texts) > MAX_TEXTS or max(map(len, texts)) > MAX_CHARACTERS:
        raise HTTPException(413, f"At most {MAX_TEXTS} texts, of at most {MAX_CHARACTERS} characters")
    return texts


async def predict(request: Request) -> JSONResponse:
    scores = await batches.predict(await read_texts(request))
    return JSONResponse({"labels": [LABELS[row.index(max(row))] for row in scores], "scores": scores})


async def healthz(request: Request) -> JSONResponse:
    return JSONResponse({"status": "ok", "worker": os.getpid(), "waiting": len(batches.waiting)})


app = Starlette(routes=[Route("/predict", predict, methods=["POST"]), Route("/healthz", healthz)])
