"""Files of fitted judges."""

from __future__ import annotations

import json
from pathlib import Path

from evalharness.core.fitted import FittedModel, model_from_json
from evalharness.data.reading import RecordError
from evalharness.data.strictjson import loads
from evalharness.errors import InputError, Problem


def read_fitted(source: str) -> FittedModel:
    """The model in a file that ``fit`` wrote; :class:`InputError` for anything else."""
    try:
        return model_from_json(loads(Path(source).read_bytes()))
    except (OSError, RecordError, ValueError, json.JSONDecodeError) as error:
        text = error.message if isinstance(error, RecordError) else str(error)
        fix = "Name a file that `evalharness fit` wrote."
        raise InputError(Problem(f"no fitted judge: {text}", source, fix=fix)) from error
