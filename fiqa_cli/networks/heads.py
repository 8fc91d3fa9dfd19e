"""Quality heads on a recogniser's embedding, and the two networks that carry them."""

from typing import Protocol

from torch import Tensor, nn


class QualityNetwork(Protocol):
    """A recogniser with a quality head, whatever the official names of the two."""

    @property
    def recogniser(self) -> nn.Module:
        """Maps crops `[N, 3, 112, 112]` in [-1, 1] to embeddings `[N, features]`."""

    @property
    def head(self) -> nn.Module:
        """Maps embeddings `[N, features]` to qualities `[N, 1]`."""


class MLPHead(nn.Module):
    """The regressor of eDifFIQA: linear, GELU, linear; `[N, features]` to `[N, 1]`."""

    def __init__(self, features: int = 512, hidden: int = 1024) -> None:
        super().__init__()
        self.l1 = nn.Linear(features, hidden)
        self.ac = nn.GELU()
        self.l2 = nn.Linear(hidden, 1)

    def forward(self, embedding: Tensor) -> Tensor:
        out: Tensor = self.l2(self.ac(self.l1(embedding)))
        return out


class EDifFIQANetwork(nn.Module):
    """eDifFIQA (TBIOM 2024): recogniser `base_model` and MLP head `mlp`.

    Maps `[N, 3, 112, 112]` float in [-1, 1] to `(embedding [N, features], quality [N])`.
    """

    def __init__(self, recogniser: nn.Module, features: int = 512) -> None:
        super().__init__()
        self.base_model = recogniser
        self.mlp = MLPHead(features)

    @property
    def recogniser(self) -> nn.Module:
        """The backbone, `base_model`."""
        return self.base_model

    @property
    def head(self) -> nn.Module:
        """The regressor, `mlp`."""
        return self.mlp

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.base_model(x)
        return embedding, self.mlp(embedding).flatten()


class DifFIQARNetwork(nn.Module):
    """DifFIQA(R) (IJCB 2023): recogniser `base` and one linear layer `linear`.

    Maps `[N, 3, 112, 112]` float in [-1, 1] to `(embedding [N, features], quality [N])`.
    """

    def __init__(self, recogniser: nn.Module, features: int = 512) -> None:
        super().__init__()
        self.base = recogniser
        self.linear = nn.Linear(features, 1)

    @property
    def recogniser(self) -> nn.Module:
        """The backbone, `base`."""
        return self.base

    @property
    def head(self) -> nn.Module:
        """The regressor, `linear`."""
        return self.linear

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.base(x)
        return embedding, self.linear(embedding).flatten()
