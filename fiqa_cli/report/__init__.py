"""The HTML report: one file that shows what a set of images is worth, and where to cut."""

from fiqa_cli.report.page import Page, make_page

__all__ = ["Page", "make_page"]
