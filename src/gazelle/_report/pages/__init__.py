"""HTML pages made from run folders; each page is a single, self-contained file."""

from gazelle._report.pages.compare import write_comparison
from gazelle._report.pages.report import page, write_report

__all__ = ["page", "write_comparison", "write_report"]
