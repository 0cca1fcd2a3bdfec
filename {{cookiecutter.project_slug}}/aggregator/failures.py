"""What an aggregation's failed calls leave in the log."""

import logging
from collections import Counter
from collections.abc import Collection

from onloop.http import HTTPClientError, describe

MOST_CAUSES = 5

logger = logging.getLogger(__name__)


def log_failures(failures: Collection[HTTPClientError], calls: int) -> None:
    """Log the causes in one line, the most frequent first: a thousand calls may fail at once."""
    causes = Counter(f"{error.type}: {describe(error)}" for error in failures)
    shown = "; ".join(f"{count} x {cause}" for cause, count in causes.most_common(MOST_CAUSES))
    logger.warning("%d of %d calls failed. %s", len(failures), calls, shown)
