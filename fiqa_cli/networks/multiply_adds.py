"""What an embedding costs."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fiqa_cli.networks.folding import fold
from fiqa_cli.networks.pruning import prune


def multiply_adds(recogniser: nn.Module) -> int:
    """Multiplications and additions of a crop's embedding, without what `prune` leaves out."""
    folded = fold(recogniser)
    prune(folded)
    with FlopCounterMode(display=False) as counted, torch.inference_mode():
        folded(torch.zeros(1, 3, 112, 112))
    return int(counted.get_total_flops()) // 2
