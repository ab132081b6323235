"""An optimizer and its learning rate, described by a config and used to fit a line.

python optimizer_config.py
"""

from typing import List

import numpy

from thinc.api import Config, L2Distance, Linear, fix_random_seed, registry

CONFIG = """
[optimizer]
@optimizers = "Adam.v1"

[optimizer.learn_rate]
@schedules = "slanted_triangular.v1"
max_rate = 0.1
num_steps = 5000
"""


def main(steps: int = 1000) -> List[float]:
    """Returns the rates that were used, and checks what was learnt."""
    fix_random_seed(0)
    optimizer = registry.resolve(Config().from_str(CONFIG))["optimizer"]
    X = numpy.random.uniform(-1, 1, (50, 1)).astype("f")
    Y = 3 * X - 2
    model = Linear().initialize(X=X, Y=Y)
    get_loss = L2Distance()
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.learn_rate))
        Yh, backprop = model.begin_update(X)
        d_Yh, loss = get_loss(Yh, Y)
        backprop(d_Yh)
        model.finish_update(optimizer)
        optimizer.step_schedules()
    W, b = model.get_param("W").item(), model.get_param("b").item()
    print(f"rates {rates[0]:.4f} to {max(rates):.4f}; Y = {W:.3f} X + {b:.3f}")
    assert abs(W - 3) < 0.01 and abs(b + 2) < 0.01, "the line was not found"
    return rates


if __name__ == "__main__":
    main()
