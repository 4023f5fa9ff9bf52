"""Pure scoring: exact assignment, metrics, intervals, preference pairs. No I/O but `__main__`."""

from scoring.metrics import score_example, summarise

__all__ = ["score_example", "summarise"]
