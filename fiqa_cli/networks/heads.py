"""Quality heads on a recogniser's embedding, and the two networks that carry them."""

from torch import Tensor, nn


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

    Maps `[N, 3, 112, 112]` float in [-1, 1] to `(embedding [N, 512], quality [N])`.
    """

    def __init__(self, recogniser: nn.Module) -> None:
        super().__init__()
        self.base_model = recogniser
        self.mlp = MLPHead()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.base_model(x)
        return embedding, self.mlp(embedding).flatten()


class DifFIQARNetwork(nn.Module):
    """DifFIQA(R) (IJCB 2023): recogniser `base` and one linear layer `linear`.

    Maps `[N, 3, 112, 112]` float in [-1, 1] to `(embedding [N, 512], quality [N])`.
    """

    def __init__(self, recogniser: nn.Module) -> None:
        super().__init__()
        self.base = recogniser
        self.linear = nn.Linear(512, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.base(x)
        return embedding, self.linear(embedding).flatten()
