"""A run folder becomes one HTML page that stands alone."""

from gazelle._report.pages.compare import write_comparison
from gazelle._report.pages.report import page, write_report

__all__ = ["page", "write_comparison", "write_report"]
