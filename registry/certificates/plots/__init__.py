"""A certificate's two plots as SVG texts that stand alone: in a page, as a file, as an artefact of a run.

They are drawn here because the bare install has no plotting library, and because every text in them is a stranger's.
"""

from __future__ import annotations

from registry.certificates.plots.curve import accuracy_latency
from registry.certificates.plots.drawing import STYLE
from registry.certificates.plots.sensitivity import layer_sensitivity

__all__ = ["STYLE", "accuracy_latency", "layer_sensitivity"]
