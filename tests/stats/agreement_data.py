"""Published rating data shared by the agreement tests."""

import numpy as np

NAN = np.nan

# Krippendorff's example "C": 12 units by 4 raters.
KRIPPENDORFF_C = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T

# Krippendorff's example on Wikipedia: 15 units by 3 raters.
KRIPPENDORFF_WIKIPEDIA = np.array(
    [
        [NAN, NAN, NAN, NAN, NAN, 3, 4, 1, 2, 1, 1, 3, 3, NAN, 3],
        [1, NAN, 2, 1, 3, 3, 4, 3, NAN, NAN, NAN, NAN, NAN, NAN, NAN],
        [NAN, NAN, 2, 1, 3, 4, 4, NAN, 2, 1, 1, 3, 3, NAN, 4],
    ]
).T

# irrCAC's cac.raw4raters: as C, but the last unit is rated by the third rater alone.
RAW_4_RATERS = KRIPPENDORFF_C.copy()
RAW_4_RATERS[11] = [NAN, NAN, 3, NAN]

# irrCAC's cont3x3abstractors: 100 pregnancies by two abstractors.
ABSTRACTORS = np.array([[13, 0, 0], [0, 20, 7], [0, 4, 56]])

SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)


def labels_of(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two label vectors behind a table of counts: row and column codes from 1."""
    rows, columns = np.indices(table.shape)
    counts = table.astype(int).ravel()
    return np.repeat(rows.ravel() + 1, counts), np.repeat(columns.ravel() + 1, counts)
