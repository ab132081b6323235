"""Look into a model and a run: where time goes, where a NaN comes from, how layers hang together, how a run went.

`Model.summary` has the tree as a table. Nothing here costs anything until it is called.
"""

from ..model._summary import LayerRow, Summary, flops_rule
from .anomalies import LayerTrace, Trace, detect_anomaly, trace
from .graph import to_dot, to_svg
from .plots import plot_confusion, plot_history, plot_schedule
from .profiling import Profile, profile

__all__ = [
    "LayerRow",
    "LayerTrace",
    "Profile",
    "Summary",
    "Trace",
    "detect_anomaly",
    "flops_rule",
    "plot_confusion",
    "plot_history",
    "plot_schedule",
    "profile",
    "to_dot",
    "to_svg",
    "trace",
]
