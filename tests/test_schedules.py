"""Schedules: exact sequences, closed forms, state."""

import itertools
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinc.config import registry
from thinc.schedules import (
    Schedule,
    compounding,
    constant,
    constant_then,
    cyclic_triangular,
    decaying,
    from_iterable,
    plateau,
    slanted_triangular,
    warmup_linear,
)


def take(schedule, n):
    return list(itertools.islice(schedule, n))


def test_decaying_first_values():
    values = take(decaying(0.001, 1e-4), 3)
    assert values == [0.001, 0.001 * (1.0 / 1.0001), 0.001 * (1.0 / 1.0002)]
    assert next(decaying(0.001, 1e-4, t=2)) == values[2]


def test_compounding_multiplies_factor_by_factor_up_to_stop():
    assert take(compounding(1.0, 2.0, 1.5), 4) == [1.0, 1.5, 2.0, 2.0]
    values, value = [], 0.1
    for _ in range(50):
        values.append(value)
        value *= 1.1
    assert take(compounding(0.1, 1e9, 1.1), 50) == values


def test_compounding_down_stops_at_the_lower_end():
    assert take(compounding(8, 1, 0.5), 5) == [8.0, 4.0, 2.0, 1.0, 1.0]


def test_compounding_by_step_is_a_power_that_uses_t():
    schedule = compounding(0.1, 100.0, 1.5, t=2.0)
    assert schedule(3) == 0.1 * 1.5**5.0
    assert compounding(1.0, 9.0, 2.0)(10_000) == 9.0  # the power overflows


def test_cyclic_triangular():
    assert take(cyclic_triangular(0.1, 1.0, 2), 5) == [0.55, 1.0, 0.55, 0.1, 0.55]


def test_constant():
    assert take(constant(123), 3) == [123, 123, 123]


def test_constant_then_starts_the_second_schedule_at_its_beginning():
    assert take(constant_then(1, 2, [100, 200]), 10) == [1, 1, 100, 200]
    inner = decaying(1.0, 1.0)
    assert take(constant_then(7, 3, inner), 6) == [7, 7, 7, 1.0, 0.5, 1.0 * (1 / 3)]
    assert next(inner) == 0.25  # it was the same object that was read


def test_constant_then_by_step_counts_from_the_start_for_a_schedule():
    schedule = constant_then(7, 3, decaying(1.0, 1.0))
    assert [schedule(0), schedule(2), schedule(3)] == [7, 7, 0.25]
    listed = constant_then(7, 3, [5, 6])
    assert [listed(2), listed(3), listed(4), listed(9), listed(3)] == [7, 5, 6, 6, 5]


def test_slanted_triangular():
    values = take(slanted_triangular(1.0, 20.0, ratio=10), 6)
    assert values[:3] == [0.55, 1.0, 0.95]
    assert values == pytest.approx([0.55, 1.0, 0.95, 0.9, 0.85, 0.8])
    with pytest.raises(ZeroDivisionError):
        next(slanted_triangular(1.0, 5))


def test_warmup_linear():
    assert take(warmup_linear(1.0, 2, 10), 11) == [*(0.0, 0.5, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0)]
    assert take(warmup_linear(1.0, 0, 0), 2) == [0.0, 0.0]


MAKERS = {
    "compounding.v1": lambda: compounding(1.0, 32.0, 1.001),
    "constant.v1": lambda: constant(0.5),
    "constant_then.v1": lambda: constant_then(0.5, 4, compounding(1.0, 32.0, 1.1)),
    "cyclic_triangular.v1": lambda: cyclic_triangular(0.001, 0.3, 7),
    "decaying.v1": lambda: decaying(0.001, 1e-4, t=3),
    "plateau.v1": lambda: plateau(3, 0.5, warmup_linear(1.0, 3, 30)),
    "slanted_triangular.v1": lambda: slanted_triangular(0.1, 40),
    "warmup_linear.v1": lambda: warmup_linear(0.1, 5, 30),
}
STATELESS = sorted(set(MAKERS) - {"compounding.v1", "constant_then.v1"})


def test_every_registered_schedule_has_a_row():
    assert set(MAKERS) <= set(registry.schedules.get_all())


@pytest.mark.parametrize("name", MAKERS)
def test_schedule_is_named_after_its_function(name):
    schedule = MAKERS[name]()
    assert schedule.name == name[: -len(".v1")]
    assert iter(schedule) is schedule
    assert all(isinstance(schedule.attrs, dict) for _ in range(2))


@pytest.mark.parametrize("name", STATELESS)
def test_schedule_by_step_agrees_with_next(name):
    assert take(MAKERS[name](), 25) == [MAKERS[name]()(step) for step in range(25)]


@pytest.mark.parametrize("name", MAKERS)
def test_to_generator_takes_start_and_step_size(name):
    schedule = MAKERS[name]()
    expected = [MAKERS[name]()(step) for step in range(3, 18, 5)]
    assert take(schedule.to_generator(3, 5), 3) == expected


@pytest.mark.parametrize("name", MAKERS)
def test_negative_steps_are_rejected(name):
    schedule = MAKERS[name]()
    with pytest.raises(ValueError, match="at least 0, got -1"):
        schedule(-1)
    for start, step_size in ((-1, 1), (0, -1)):
        with pytest.raises(ValueError, match="at least 0"):
            schedule.to_generator(start, step_size)


@pytest.mark.parametrize("name", MAKERS)
def test_state_continues_the_sequence_exactly(name):
    original = MAKERS[name]()
    take(original, 11)
    resumed = MAKERS[name]()
    resumed.set_state(original.get_state())
    copied = pickle.loads(pickle.dumps(original))
    expected = take(original, 9)
    assert take(resumed, 9) == expected
    assert take(copied, 9) == expected


@pytest.mark.parametrize("name", MAKERS)
def test_refresh_gives_the_last_value_again(name):
    schedule = MAKERS[name]()
    with pytest.raises(ValueError, match="needs a next"):
        schedule.refresh()
    for _ in range(8):
        value = next(schedule)
        assert schedule.refresh() == value
        assert schedule.refresh() == value


def test_own_function_reads_attrs_and_extra():
    def scaled(schedule, step, *, factor=1):
        return schedule.attrs["base"] * step * factor

    attrs = {"base": 3}
    schedule = Schedule("scaled", scaled, attrs=attrs)
    attrs["base"] = 0  # the dict was copied
    assert schedule(2, factor=10) == 60
    assert take(schedule, 3) == [0, 3, 6]
    assert take(schedule.to_generator(1, 2, factor=2), 2) == [6, 18]
    with pytest.raises(AttributeError):
        schedule.attrs = {}


def test_from_iterable_repeats_the_last_value_and_does_not_go_back():
    schedule = from_iterable("numbers", iter([1, 2, 3]))
    assert [schedule(0), schedule(1), schedule(1), schedule(9)] == [1, 2, 2, 3]
    with pytest.raises(ValueError, match="must not decrease"):
        schedule(0)
    with pytest.raises(ValueError, match="at least one value"):
        from_iterable("none", iter([]))(0)
    inner = constant(1)
    assert from_iterable("same", inner) is inner


def plateau_oracle(max_patience, scale, scores):
    """Factors after each score, by the definition."""
    best, patience, n, factors = None, 0, 0, []
    for score in scores:
        if best is None or score > best:
            best, patience = score, 0
        else:
            patience += 1
            if patience == max_patience:
                n, patience = n + 1, 0
        factors.append(scale**n)
    return factors


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 5), max_size=30), st.integers(1, 4))
def test_plateau_scales_after_max_patience_scores_without_progress(scores, patience):
    schedule = plateau(patience, 0.5, constant(2.0))
    factors = plateau_oracle(patience, 0.5, scores)
    for step, (score, factor) in enumerate(zip(scores, factors)):
        assert schedule(step, last_score=(step, score)) == 2.0 * factor
        assert schedule(step, last_score=(step, score)) == 2.0 * factor  # same step
        assert schedule(step) == 2.0 * factor


def test_plateau_rejects_a_step_that_goes_back():
    schedule = plateau(2, 0.5, constant(1.0))
    schedule(5, last_score=(5, 1.0))
    with pytest.raises(ValueError, match="Expected score with step >= 5, got 4"):
        schedule(6, last_score=(4, 0.5))


def test_schedules_are_built_from_a_config():
    config = {
        "schedule": {
            "@schedules": "constant_then.v1",
            "rate": 0.5,
            "steps": 1,
            "schedule": {"@schedules": "warmup_linear.v1", "initial_rate": 1.0}
            | {"warmup_steps": 2, "total_steps": 10},
        }
    }
    assert take(registry.resolve(config)["schedule"], 4) == [0.5, 0.0, 0.5, 1.0]
    config = {
        "schedule": {
            "@schedules": "plateau.v1",
            "max_patience": 1,
            "scale": 0.1,
            "schedule": {"@schedules": "constant.v1", "rate": 1.0},
        }
    }
    assert registry.resolve(config)["schedule"](0) == 1.0
