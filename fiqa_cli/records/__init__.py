"""The row of a report: its readers, writers and filters."""
