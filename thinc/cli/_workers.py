"""`thinc train --workers`: the same run on several workers."""

import argparse
from typing import Any, Dict, Tuple, Union

from ..distributed import distributed_train
from ..training import ConfigProblem, run_code
from ..training.run import describe_folder
from ._command import config_path, read_code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("several workers, with Ray")
    group.add_argument("--workers", type=_workers, metavar="N", help="how many, or LEAST-MOST, such as 1-4")
    group.add_argument("--mode", choices=("sync", "sharded"), default="sync", help="default: %(default)s")
    group.add_argument("--address", metavar="HOST:PORT", help="of a running cluster, or auto; default: one of our own")
    group.add_argument("--shards", type=int, metavar="S", help="the same bits for any number of workers up to S")
    group.add_argument("--quorum", type=int, metavar="Q", help="gradients that make an update, with --mode sharded")


def _workers(text: str) -> Union[int, Tuple[int, int]]:
    least, _, most = text.partition("-")
    try:
        return (int(least), int(most)) if most else int(least)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a number such as 4, or LEAST-MOST such as 1-4, got {text!r}"
        ) from None


def run(args: argparse.Namespace, overrides: Dict[str, Any]) -> int:
    if args.output is None:
        raise ConfigProblem("--workers needs --output, a folder that all machines see")
    if args.config is None:
        raise ConfigProblem("--workers needs a config, also with --resume")
    held = describe_folder(args.output)
    if held and not args.resume and not args.overwrite:
        raise ConfigProblem(f"{args.output} holds {held}: --resume, --overwrite or another folder")
    run_code(read_code(args.code))
    try:
        progress = distributed_train(
            config_path(args.config),
            workers=args.workers,
            mode=args.mode,
            address=args.address,
            storage=args.output,
            shards=args.shards,
            quorum=args.quorum,
            checkpoint_every=args.checkpoint_every,
            resume=args.resume,
            overrides=overrides,
        )
    except ImportError as e:
        raise ConfigProblem(str(e)) from e
    print(f"Best score {100 * (progress.best_score or 0):.2f} % in epoch {progress.best_epoch + 1}")
    print(f"Saved in {args.output}")
    return 0


__all__ = ["add_arguments", "run"]
