"""What an error-versus-discard curve shows: which error, at which threshold, drawn how."""

from dataclasses import dataclass
from typing import Literal

from fiqa_cli.errors import FiqaError


@dataclass(frozen=True, slots=True)
class Definition:
    """A definition of the curve; the defaults are the one to report.

    The text of a definition, `str(definition)`, names every choice and belongs next to each
    figure made with it. Raises `FiqaError` for choices that exclude each other.
    """

    error: Literal["fnmr", "fmr"] = "fnmr"
    """Share of the mated pairs below the threshold, or of the non-mated ones not below it."""
    fmr: float = 1e-3
    """The threshold is the lowest at which no more than this share of non-mated pairs match."""
    threshold: float | None = None
    """A similarity to take as the threshold, whatever the FMR."""
    starting_error: float | None = None
    """Take as the threshold, whatever the FMR, the quantile of the similarities that makes this
    the error with nothing discarded (`numpy.quantile`, linear between two similarities)."""
    re_estimated: bool = False
    """Find the threshold anew from the non-mated pairs left at each discard, as CR-FIQA does."""
    linear: bool = False
    """Straight lines between points, instead of holding each error up to the next point."""

    def __post_init__(self) -> None:
        if self.error not in ("fnmr", "fmr"):
            raise FiqaError(f"unknown error {self.error!r}: choose fnmr or fmr")
        if not 0 < self.fmr < 1:
            raise FiqaError(f"an FMR of {self.fmr:g} is not between 0 and 1")
        if self.starting_error is not None and not 0 < self.starting_error < 1:
            raise FiqaError(f"a starting error of {self.starting_error:g} is not between 0 and 1")
        if self.threshold is not None and self.starting_error is not None:
            raise FiqaError("a threshold and a starting error exclude each other: give one")
        if self.re_estimated and not self.needs_impostors:
            raise FiqaError("only a threshold at an FMR can be re-estimated at each discard")
        if self.re_estimated and self.error == "fmr":
            raise FiqaError("with a re-estimated threshold the FMR is constant: ask for the FNMR")

    @property
    def needs_impostors(self) -> bool:
        """Whether the threshold comes from the non-mated pairs."""
        return self.threshold is None and self.starting_error is None

    def __str__(self) -> str:
        if self.threshold is not None:
            where = f"at threshold {self.threshold:g}"
        elif self.starting_error is not None:
            where = f"from a starting error of {self.starting_error:g}"
        else:
            how = "re-estimated at each discard" if self.re_estimated else "fixed"
            where = f"at FMR {self.fmr:g}, threshold {how}"
        return f"{self.error.upper()} {where}, {'linear' if self.linear else 'stepwise'}"
