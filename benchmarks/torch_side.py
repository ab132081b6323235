"""The kinds of work with PyTorch, eager, as one would write them there."""

import itertools
from typing import Any, Callable, Dict, List

import numpy
import torch
import work
from torch import nn
from torch.nn import functional

torch.set_num_threads(1)
torch.manual_seed(0)
WORDS = 24

Run = Callable[[], Any]


def over_fresh(function: Callable, *tensors: List[torch.Tensor]) -> Run:
    inputs = itertools.cycle(list(zip(*tensors)))
    return lambda: function(*next(inputs))


def some(*shape: int) -> List[torch.Tensor]:
    """Up to eight tensors that fit in the second cache together."""
    n = 2**18 // int(numpy.prod(shape))
    return [torch.randn(*shape) for _ in range(min(max(n, 2), 8))]


def inference(function: Callable) -> Run:
    def run(*args: Any) -> Any:
        with torch.inference_mode():
            return function(*args)

    return run


def backward(function: Callable, inputs: List[torch.Tensor]) -> Run:
    """The backward pass alone, over graphs that are kept."""
    graphs = []
    for X in inputs:
        X = X.clone().requires_grad_()
        Y = function(X)
        graphs.append((Y, X, torch.randn_like(Y)))
    turns = itertools.cycle(graphs)

    def run() -> Any:
        Y, X, dY = next(turns)
        return torch.autograd.grad(Y, X, dY, retain_graph=True)

    return run


def gemm_forward(m: int, k: int, n: int) -> Run:
    X, W = torch.randn(m, k), torch.randn(n, k)
    return inference(lambda: X @ W.T)


def gemm_backward(m: int, k: int, n: int) -> Run:
    X, W, dY = torch.randn(m, k), torch.randn(n, k), torch.randn(m, n)
    return inference(lambda: (dY @ W, dY.T @ X))


ACTIVATIONS: Dict[str, Callable] = {
    "relu": functional.relu,
    "sigmoid": torch.sigmoid,
    "swish": functional.silu,
    "mish": functional.mish,
    "gelu": functional.gelu,
    "gelu_approx": lambda X: X * torch.sigmoid(1.702 * X),
    "hard_swish": functional.hardswish,
    "hard_sigmoid": lambda X: torch.clamp(0.2 * X + 0.5, 0, 1),
    "dish": lambda X: 0.5 * X * (X / torch.sqrt(1 + X * X) + 1),
    "softmax": lambda X: X.softmax(-1),
}


def activation(name: str, rows: int, width: int) -> Run:
    return over_fresh(inference(ACTIVATIONS[name]), some(rows, width))


def backprop_activation(name: str, rows: int, width: int) -> Run:
    return backward(ACTIVATIONS[name], some(rows, width))


def layer_norm(rows: int, width: int) -> Run:
    return over_fresh(inference(nn.LayerNorm(width)), some(rows, width))


def backprop_layer_norm(rows: int, width: int) -> Run:
    norm = nn.LayerNorm(width)
    X = torch.randn(rows, width).requires_grad_()
    wanted = (X, *norm.parameters())
    Y = norm(X)

    def run(dY: torch.Tensor) -> Any:
        return torch.autograd.grad(Y, wanted, dY, retain_graph=True)

    return over_fresh(run, some(rows, width))


def dropout(rows: int, width: int) -> Run:
    return over_fresh(inference(lambda X: functional.dropout(X, 0.2)), some(rows, width))


def maxout(rows: int, width: int, pieces: int) -> Run:
    return over_fresh(inference(lambda X: X.max(-1)), some(rows, width, pieces))


def backprop_maxout(rows: int, width: int, pieces: int) -> Run:
    return backward(lambda X: X.max(-1).values, some(rows, width, pieces))


def lengths_of(n: int, mean: int) -> List[int]:
    return work.lengths_of(n, mean).tolist()


def _bounds(n: int, mean: int) -> Any:
    ends = numpy.cumsum(lengths_of(n, mean))
    starts = numpy.concatenate([[0], ends[:-1]])
    return torch.as_tensor(starts), torch.as_tensor(ends - 1), int(ends[-1])


def _reduction(name: str, n: int, mean: int) -> Any:
    """The function of the rows, and their number."""
    starts, lasts, total = _bounds(n, mean)
    if name == "first":
        return lambda X: X[starts], total
    if name == "last":
        return lambda X: X[lasts], total
    lengths = torch.as_tensor(lengths_of(n, mean))
    return lambda X: torch.segment_reduce(X, name, lengths=lengths), total


def _reduce(name: str) -> Callable[[int, int, int], Run]:
    def make(n: int, mean: int, width: int) -> Run:
        function, total = _reduction(name, n, mean)
        return over_fresh(inference(function), some(total, width))

    return make


def _backprop_reduce(name: str) -> Callable[[int, int, int], Run]:
    def make(n: int, mean: int, width: int) -> Run:
        function, total = _reduction(name, n, mean)
        return backward(function, some(total, width))

    return make


def sequences(n: int, mean: int, width: int) -> List[torch.Tensor]:
    return [torch.randn(length, width) for length in lengths_of(n, mean)]


def _window(lengths: List[int]) -> Callable:
    """Each row between its neighbours; zeros beyond the ends of its sequence."""
    starts = torch.zeros(sum(lengths), 1)
    ends = torch.zeros(sum(lengths), 1)
    at = numpy.cumsum([0, *lengths])
    starts[at[:-1]] = 1
    ends[at[1:] - 1] = 1

    def window(X: torch.Tensor) -> torch.Tensor:
        before = torch.roll(X, 1, 0) * (1 - starts)
        after = torch.roll(X, -1, 0) * (1 - ends)
        return torch.cat([before, X, after], dim=1)

    return window


def seq2col(n: int, mean: int, width: int) -> Run:
    lengths = lengths_of(n, mean)
    return over_fresh(inference(_window(lengths)), some(sum(lengths), width))


def backprop_seq2col(n: int, mean: int, width: int) -> Run:
    lengths = lengths_of(n, mean)
    return backward(_window(lengths), some(sum(lengths), width))


def pad(n: int, mean: int, width: int) -> Run:
    Xs = sequences(n, mean, width)
    return inference(lambda: nn.utils.rnn.pad_sequence(Xs, batch_first=True))


def list2padded(n: int, mean: int, width: int) -> Run:
    Xs = sequences(n, mean, width)
    return inference(lambda: nn.utils.rnn.pad_sequence(Xs))


def padded2list(n: int, mean: int, width: int) -> Run:
    Xp = nn.utils.rnn.pad_sequence(sequences(n, mean, width))
    lengths = torch.as_tensor(lengths_of(n, mean))
    return inference(lambda: nn.utils.rnn.unpad_sequence(Xp.transpose(0, 1), lengths, batch_first=True))


def _train(module: Callable, *inputs: Any) -> Run:
    """Forward and backward; gradients are added to those that are there."""

    def run() -> None:
        Y = module(*inputs)
        Y.backward(Y.detach())

    return run


def _bag(width: int, rows: int) -> nn.Module:
    return nn.EmbeddingBag(rows, width, mode="sum")


def _four_rows(n: int, rows: int) -> torch.Tensor:
    """PyTorch has no hash: the four rows of each id are given."""
    return torch.randint(0, rows, (n, 4))


def hash_embed(n: int, width: int, rows: int) -> Run:
    bag, ids = _bag(width, rows), _four_rows(n, rows)
    return inference(lambda: bag(ids))


def train_hash_embed(n: int, width: int, rows: int) -> Run:
    return _train(_bag(width, rows), _four_rows(n, rows))


def embed(n: int, width: int, rows: int) -> Run:
    table, ids = nn.Embedding(rows, width), torch.randint(0, rows, (n,))
    return inference(lambda: table(ids))


def train_embed(n: int, width: int, rows: int) -> Run:
    return _train(nn.Embedding(rows, width), torch.randint(0, rows, (n,)))


def sparse_linear(n: int, keys: int, classes: int) -> Run:
    """Two rows a key, as there; the hash is given."""
    return _train(_bag(classes, 2**14), torch.randint(0, 2**14, (n, 2 * keys)))


def optimizer(n: int) -> Run:
    weights = nn.Parameter(torch.randn(n))
    weights.grad = torch.zeros(n)
    fresh, average = torch.randn(n), torch.zeros(n)
    adam = torch.optim.Adam([weights], lr=0.001, fused=True)

    def run() -> None:
        weights.grad.copy_(fresh)
        nn.utils.clip_grad_norm_([weights], 1.0)
        adam.step()
        average.lerp_(weights.detach(), 0.001)
        weights.grad.zero_()

    return run


def lstm(n: int, length: int, width: int) -> Run:
    module, X = nn.LSTM(width, width), torch.randn(length, n, width)
    return inference(lambda: module(X))


def train_lstm(n: int, length: int, width: int) -> Run:
    module = nn.LSTM(width, width)
    X = torch.randn(length, n, width).requires_grad_()
    return _train(lambda: module(X)[0])


def _loss(function: Callable, guesses: torch.Tensor) -> Run:
    """The loss and its gradient."""

    def run() -> Any:
        yh = guesses.detach().requires_grad_()
        value = function(yh)
        return torch.autograd.grad(value, yh), value.item()

    return run


def cross_entropy(n: int, classes: int) -> Run:
    truths = torch.randint(0, classes, (n,))
    return _loss(lambda yh: functional.cross_entropy(yh, truths), torch.randn(n, classes))


def sequence_cross_entropy(n: int, mean: int, classes: int) -> Run:
    total = sum(lengths_of(n, mean))
    names = [f"tag{i}" for i in range(classes)]
    number = {name: i for i, name in enumerate(names)}
    truths = [[names[i % classes] for i in range(k)] for k in lengths_of(n, mean)]

    def function(yh: torch.Tensor) -> torch.Tensor:
        ids = torch.tensor([number[name] for row in truths for name in row])
        return functional.cross_entropy(yh, ids)

    return _loss(function, torch.randn(total, classes))


def l2_distance(n: int, width: int) -> Run:
    truths = torch.randn(n, width)
    return _loss(lambda yh: functional.mse_loss(yh, truths), torch.randn(n, width))


def cosine_distance(n: int, width: int) -> Run:
    truths = torch.randn(n, width)
    return _loss(lambda yh: (1 - functional.cosine_similarity(yh, truths)).mean(), torch.randn(n, width))


class Maxout(nn.Module):
    def __init__(self, nI: int, nO: int, pieces: int):
        super().__init__()
        self.affine = nn.Linear(nI, nO * pieces)
        self.norm = nn.LayerNorm(nO)
        self.pieces = pieces

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        Y = self.affine(X).view(len(X), -1, self.pieces)
        return self.norm(Y.max(-1).values)


class Tagger(nn.Module):
    """The rows of the documents joined, with zeros between them, as in the other."""

    def __init__(self, width: int = 96):
        super().__init__()
        sizes = (5000, 1000, 2500, 2500)
        self.tables = nn.ModuleList([_bag(width, rows) for rows in sizes])
        self.mix = Maxout(4 * width, width, 3)
        self.windows = nn.ModuleList([Maxout(3 * width, width, 3) for _ in range(4)])
        self.output = nn.Linear(width, 17)

    def forward(self, ids: List[torch.Tensor]) -> torch.Tensor:
        X = torch.cat([table(rows) for table, rows in zip(self.tables, ids)], dim=1)
        X = self.mix(X)
        zero = X.new_zeros(1, X.shape[1])
        for window in self.windows:
            before = torch.cat([zero, X[:-1]])
            after = torch.cat([X[1:], zero])
            X = X + window(torch.cat([before, X, after], dim=1))
        return self.output(X)


def _tagger(docs: int) -> Any:
    lengths = lengths_of(docs, WORDS)
    n_rows = sum(lengths) + 4 * (docs + 1)
    model = Tagger()
    ids = [_four_rows(n_rows, table.num_embeddings) for table in model.tables]
    return model, ids, lengths


def tagger_predict(docs: int) -> Run:
    model, ids, lengths = _tagger(docs)
    model.eval()
    sizes = [4, *itertools.chain(*[(length, 4) for length in lengths])]
    return inference(lambda: model(ids).softmax(-1).split(sizes))


def tagger_train(docs: int) -> Run:
    model, ids, _ = _tagger(docs)
    adam = torch.optim.Adam(model.parameters(), lr=0.001, fused=True)
    truths = torch.randint(0, 17, (len(ids[0]),))

    def run() -> None:
        adam.zero_grad()
        functional.cross_entropy(model(ids), truths).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()

    return run


def perceptron_module() -> nn.Module:
    return nn.Sequential(nn.Linear(384, 768), nn.ReLU(), nn.Linear(768, 768), nn.ReLU(), nn.Linear(768, 384))


def perceptron(rows: int) -> Run:
    module, X = perceptron_module().eval(), torch.randn(rows, 384)
    return inference(lambda: module(X))


def linear_call(rows: int, width: int) -> Run:
    module, X = nn.Linear(width, width), torch.randn(rows, width)
    return inference(lambda: module(X))


def chain_call(rows: int, width: int) -> Run:
    module = nn.Sequential(*[nn.Linear(width, width) for _ in range(10)])
    X = torch.randn(rows, width)
    return inference(lambda: module(X))


def finish_update(width: int) -> Run:
    module = nn.Linear(width, width)
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    adam = torch.optim.Adam(module.parameters(), lr=0.001)

    def run() -> None:
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        adam.step()

    return run


REDUCTIONS = ("sum", "mean", "max", "first", "last")
KINDS: Dict[str, Callable[..., Run]] = {
    **{
        function.__name__: function
        for function in (
            gemm_forward,
            gemm_backward,
            activation,
            backprop_activation,
            layer_norm,
            backprop_layer_norm,
            dropout,
            maxout,
            backprop_maxout,
            seq2col,
            backprop_seq2col,
            pad,
            list2padded,
            padded2list,
            hash_embed,
            train_hash_embed,
            embed,
            train_embed,
            sparse_linear,
            optimizer,
            lstm,
            train_lstm,
            cross_entropy,
            sequence_cross_entropy,
            l2_distance,
            cosine_distance,
            tagger_predict,
            tagger_train,
            perceptron,
            linear_call,
            chain_call,
            finish_update,
        )
    },
    **{f"reduce_{name}": _reduce(name) for name in REDUCTIONS},
    **{f"backprop_reduce_{name}": _backprop_reduce(name) for name in REDUCTIONS},
}
